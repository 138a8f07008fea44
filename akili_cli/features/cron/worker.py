"""Cron jobs as the ticker sees them: a goal for the agent, as the job's user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.base import Connection
from akili_cli.core.schedule.base import Ended, Fire, FireStatus, Goal, GoalRunner, Job, Notice, Notifier
from akili_cli.domain.calls import Source, Status
from akili_cli.features.cron import store
from akili_cli.features.cron.model import KIND, MAX_FAILURES
from akili_cli.features.cron.service import as_due
from akili_cli.features.cron.settings import SchedulerSettings

SUMMARY_CHARS = 500
STATUSES = {
    Status.OK: FireStatus.OK,
    Status.PLANNED: FireStatus.OK,
    Status.DENIED: FireStatus.DENIED,
    Status.APPROVAL_REQUIRED: FireStatus.DENIED,
    Status.BUDGET_EXCEEDED: FireStatus.BUDGET_EXCEEDED,
    Status.TIMEOUT: FireStatus.TIMEOUT,
    Status.INTERRUPTED: FireStatus.INTERRUPTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSchedule:
    """A ``core.schedule.base.Schedule``. ``agent`` works on the goals."""

    settings: SchedulerSettings
    agent: GoalRunner
    notifier: Notifier
    kind: str = KIND
    durable: bool = True

    @property
    def poll_s(self) -> float:
        """How long a job that somebody else added may go unseen."""
        return self.settings.poll_interval_seconds

    @property
    def max_running(self) -> int:
        """How many jobs run side by side here."""
        return self.settings.max_concurrent_jobs

    def next_at(self, connection: Connection, org: str) -> float | None:
        """Give the earliest next run."""
        return store.next_at(connection, org)

    def due(self, connection: Connection, org: str, now: float, limit: int) -> list[Job]:
        """Give what is due."""
        window = self.settings.missed_job_window_seconds
        return [as_due(job, window) for job in store.due(connection, org, now, limit)]

    def advance(self, connection: Connection, org: str, job_id: str, next_run_at: float) -> None:
        """Move a job on."""
        store.advance(connection, org, job_id, next_run_at)

    async def run(self, fire: Fire, steps: Steps) -> Ended:
        """Work on the goal as the fire's user."""
        told = cast("Mapping[str, Any]", fire.payload)
        reached = await self.agent.run(
            Goal(
                text=told["goal"],
                user=fire.user,
                source=Source.CRON,
                org=fire.org,
                correlation_id=fire.id,
                max_cost_usd=told["budget_limit_usd"],
            ),
            steps,
        )
        return Ended(
            status=STATUSES.get(Status(reached.status), FireStatus.FAILED),
            run_id=reached.run_id,
            error=reached.error or "; ".join(reached.denials),
            summary=reached.answer[:SUMMARY_CHARS],
            cost_usd=reached.cost_usd,
            details={"tokens": reached.tokens},
        )

    def ended(self, connection: Connection, fire: Fire, ended: Ended, now: float) -> None:
        """Note the end on the job; tell of a failure, and of a job that failed so often that it is switched off."""
        good = ended.status is FireStatus.OK
        error = "" if good else (ended.error or str(ended.status))
        off = store.ended(
            connection, fire.org, fire.job_id, at=now, run_id=ended.run_id, error=error, max_failures=MAX_FAILURES
        )
        told = cast("Mapping[str, Any]", fire.payload)
        if good or not told["notify"]:
            return
        lines = [f"job: {told['name']} ({fire.job_id})", f"status: {ended.status}", f"goal: {told['goal']}"]
        lines.append(f"error: {error}")
        if off:
            lines.append(f"It failed {MAX_FAILURES} times in a row and is switched off (akili cron resume).")
        self.notifier.queue(
            connection,
            fire.org,
            Notice(
                key=f"{fire.id}:failure",
                channels=tuple(told["notify"]),
                subject=f"Cron job {told['name']}: {ended.status}",
                body="\n".join(lines),
                user=fire.user,
                source=Source.CRON,
                metadata={"type": "cronjob_failure", "cronjob_id": fire.job_id},
            ),
            now,
        )
