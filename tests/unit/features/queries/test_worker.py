from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from akili_cli.adapters.engine.backends.inline import DirectSteps
from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.base import Database
from akili_cli.core.agent.report import RunReport
from akili_cli.core.schedule import store as fires
from akili_cli.core.schedule.base import Ended, FireStatus
from akili_cli.domain.calls import Status
from akili_cli.domain.errors import NotFoundError
from akili_cli.domain.events import Emit, Event
from akili_cli.features.queries import store
from akili_cli.features.queries.live import LiveRuns
from akili_cli.features.queries.model import Query
from akili_cli.features.queries.worker import QuerySchedule, StopQueries
from tests.fakes.clock import FakeClock
from tests.unit.features.queries.test_store import fire, put

STEPS = DirectSteps("query:a:once", FakeClock())


class Agent:
    """Says one word, then waits until it may end."""

    def __init__(self, status: Status = Status.OK, *, hangs: bool = False) -> None:
        self.status = status
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        if not hangs:
            self.may_end.set()

    async def answer(self, query: Query, _steps: Steps, emit: Emit, is_stopped: Callable[[], bool]) -> RunReport:
        emit(Event("text", {"text": "so"}))
        self.began.set()
        report = RunReport(self.status, "a" * 999, query.correlation_id, query.id, error="e", failure="model")
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            if is_stopped():
                emit(Event("run.finished", {**report.as_dict(), "status": "interrupted"}))
            raise
        emit(Event("run.finished", report.as_dict()))
        return report


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_sqlite(tmp_path / "akili.db")
    await opened.write(lambda conn: put(conn, "a", "ann", 0.0))
    yield opened
    await opened.close()


def schedule(db: Database, agent: Agent) -> QuerySchedule:
    return QuerySchedule(db=db, agent=agent, live=LiveRuns(), max_running=4)


async def end(db: Database, ended: Ended) -> None:
    await db.write(lambda conn: fires.end(conn, fire("a"), ended, 1.0))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.OK, FireStatus.OK),
        (Status.PLANNED, FireStatus.OK),
        (Status.DENIED, FireStatus.DENIED),
        (Status.APPROVAL_REQUIRED, FireStatus.DENIED),
        (Status.BUDGET_EXCEEDED, FireStatus.BUDGET_EXCEEDED),
        (Status.TIMEOUT, FireStatus.TIMEOUT),
        (Status.INTERRUPTED, FireStatus.INTERRUPTED),
        (Status.FAILED, FireStatus.FAILED),
    ],
)
async def test_how_a_run_ended_is_kept_whole(db: Database, status: Status, expected: FireStatus) -> None:
    ended = await schedule(db, Agent(status)).run(fire("a"), STEPS)
    assert (ended.status, ended.run_id, ended.error, len(ended.summary)) == (expected, "a", "e", 500)
    assert ended.details["failure"] == "model"
    assert ended.details["report"]["status"] == status  # type: ignore[index]  # a report


async def test_the_end_is_told_only_once_it_is_stored(db: Database) -> None:
    made = schedule(db, Agent())
    ended = await made.run(fire("a"), STEPS)
    assert [event.name for event in made.live.events("a")] == ["text"]
    await end(db, ended)
    await made.tell_end(fire("a"))
    assert [event.name for event in made.live.events("a")] == ["text", "run.finished"]
    assert made.live.events("a")[-1].data["status"] == "ok"


async def test_one_that_somebody_stops_ends_as_interrupted_with_what_it_said(db: Database) -> None:
    made = schedule(db, agent := Agent(hangs=True))
    chore = StopQueries(db=db, org="default", schedule=made)
    await chore.tick(0.0)  # nothing runs, nothing is looked up
    running = asyncio.create_task(made.run(fire("a"), STEPS))
    await agent.began.wait()
    await chore.tick(0.0)  # nobody wants it ended
    assert not running.done()
    await db.write(lambda conn: store.ask_to_stop(conn, "default", "a", "ben"))
    await chore.tick(0.0)
    ended = await running
    assert (ended.status, ended.error) == (FireStatus.INTERRUPTED, "stopped by ben")
    assert ended.details["report"]["error"] == "stopped by ben"  # type: ignore[index]  # a report
    assert not made.stop("a")
    await end(db, ended)
    await made.tell_end(fire("a"))
    assert made.live.events("a")[-1].data["status"] == "interrupted"


async def test_one_whose_process_goes_away_ends_nothing_but_its_feed(db: Database) -> None:
    made = schedule(db, agent := Agent(hangs=True))
    running = asyncio.create_task(made.run(fire("a"), STEPS))
    await agent.began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [event.name for event in made.live.events("a")] == ["text"]
    assert [one async for one in made.live.follow("a", 1)] == []
    assert made.running == {}


async def test_a_fire_without_its_question_is_an_error(db: Database) -> None:
    with pytest.raises(NotFoundError):
        await schedule(db, Agent()).run(fire("gone"), STEPS)


async def test_nothing_is_ever_due(db: Database) -> None:
    made = schedule(db, Agent())

    def work(conn: object) -> tuple[object, object]:
        made.advance(conn, "default", "a", 0.0)  # type: ignore[arg-type]  # unused
        made.ended(conn, fire("a"), Ended(status=FireStatus.OK), 0.0)  # type: ignore[arg-type]  # unused
        return made.next_at(conn, "default"), made.due(conn, "default", 9e9, 9)  # type: ignore[arg-type]  # unused

    assert work(None) == (None, [])
