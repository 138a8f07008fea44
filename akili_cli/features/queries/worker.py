"""Questions as the ticker sees them: never due by the clock, begun as soon as they are asked, resumed after a crash."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.agent.report import RunReport
from akili_cli.core.schedule.base import Ended, Fire, FireStatus, Job
from akili_cli.domain.calls import Status
from akili_cli.domain.errors import NotFoundError
from akili_cli.domain.events import Emit, Event
from akili_cli.features.queries import store
from akili_cli.features.queries.live import LAST, LiveRuns
from akili_cli.features.queries.model import KIND, Query

SUMMARY_CHARS = 500
LOOK_S = 1.0
_STATUSES = {
    Status.OK: FireStatus.OK,
    Status.PLANNED: FireStatus.OK,
    Status.DENIED: FireStatus.DENIED,
    Status.APPROVAL_REQUIRED: FireStatus.DENIED,
    Status.BUDGET_EXCEEDED: FireStatus.BUDGET_EXCEEDED,
    Status.TIMEOUT: FireStatus.TIMEOUT,
    Status.INTERRUPTED: FireStatus.INTERRUPTED,
}


class Answerer(Protocol):
    """Answers a question through the agent loop and so through the pipeline."""

    async def answer(self, query: Query, steps: Steps, emit: Emit, is_stopped: Callable[[], bool]) -> RunReport:
        """Answer it; finished model and tool steps are read back after a crash.

        Cancelled while ``is_stopped``, it tells its end before it goes; otherwise it goes on elsewhere.
        """


@dataclass(slots=True)
class _Running:
    """A question that is being answered here; ``last`` is how its run said that it ended."""

    task: asyncio.Task[RunReport] | None = None
    stopped: bool = False
    last: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class QuerySchedule:
    """A ``core.schedule.base.Schedule``.

    What a run tells goes to ``live`` as it comes, but for its end: ``tell_end`` does that once the end is stored.
    """

    db: Database
    agent: Answerer
    live: LiveRuns
    max_running: int
    kind: str = KIND
    durable: bool = True
    poll_s: float = math.inf
    running: dict[str, _Running] = field(default_factory=dict)

    def next_at(self, _connection: Connection, _org: str) -> float | None:
        """Nothing is ever due."""
        return None

    def due(self, _connection: Connection, _org: str, _now: float, _limit: int) -> list[Job]:
        """Give nothing."""
        return []

    def advance(self, _connection: Connection, _org: str, _job_id: str, _next_run_at: float) -> None:
        """Do nothing."""

    async def run(self, fire: Fire, steps: Steps) -> Ended:
        """Answer the question as whoever asked it, until it ends or somebody stops it."""
        query = await self.db.read(lambda conn: store.get(conn, fire.org, fire.job_id))
        if query is None:
            raise NotFoundError(f"the question of {fire.id} is gone")
        self.live.open(query.id)
        mine = self.running[query.id] = _Running()

        def emit(event: Event) -> None:
            if event.name == LAST:
                mine.last = event.data
            else:
                self.live.publish(query.id, event)

        mine.task = asyncio.ensure_future(self.agent.answer(query, steps, emit, lambda: mine.stopped))
        try:
            report = await mine.task
        except asyncio.CancelledError:
            if not mine.stopped:
                self.live.close(query.id)
                raise
            now = await self.db.read(lambda conn: store.get(conn, fire.org, fire.job_id))
            by = now.stop_by if now is not None and now.stop_by else "somebody"
            details = {"report": {**mine.last, "error": f"stopped by {by}"}} if mine.last else {}
            return Ended(status=FireStatus.INTERRUPTED, run_id=query.id, error=f"stopped by {by}", details=details)
        finally:
            del self.running[query.id]
            mine.task.cancel()
        return Ended(
            status=_STATUSES.get(report.status, FireStatus.FAILED),
            run_id=query.id,
            error=report.error,
            summary=report.answer[:SUMMARY_CHARS],
            cost_usd=report.cost_usd,
            details={"report": report.as_dict(), "failure": report.failure},
        )

    def ended(self, _connection: Connection, _fire: Fire, _ended: Ended, _now: float) -> None:
        """Do nothing: the fire itself says how it ended."""

    async def tell_end(self, fire: Fire) -> None:
        """Tell whoever watches that a question is answered; from now on everybody reads the same of it."""
        query = await self.db.read(lambda conn: store.get(conn, fire.org, fire.job_id))
        if query is not None:
            self.live.publish(query.id, Event(LAST, query.outcome()))

    def stop(self, query_id: str) -> bool:
        """End a question that is being answered here; False when it is not."""
        mine = self.running.get(query_id)
        if mine is None or mine.task is None or mine.stopped:
            return False
        mine.stopped = True
        return mine.task.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class StopQueries:
    """A ``Chore``: ends what this node answers and somebody wants ended."""

    db: Database
    org: str
    schedule: QuerySchedule
    name: str = "stopped queries"
    every_s: float = LOOK_S

    async def tick(self, _now: float) -> None:
        """Look, if anything runs here."""
        if self.schedule.running:
            for query_id in await self.db.read(lambda conn: store.to_stop(conn, self.org)):
                self.schedule.stop(query_id)
