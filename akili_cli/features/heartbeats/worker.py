"""Heartbeat tasks as the ticker sees them, and the chore that reads their files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.core.schedule.base import Ended, Fire, FireStatus, Goal, GoalRunner, Job, Notifier, Reached
from akili_cli.domain.calls import Principal, Source, Status
from akili_cli.domain.clock import Clock
from akili_cli.features.heartbeats import store
from akili_cli.features.heartbeats.ending import correlation_of, day_of, note_end
from akili_cli.features.heartbeats.model import (
    KIND,
    OUTPUT_CHARS,
    SUMMARY_CHARS,
    Mode,
    Precheck,
    PrecheckKind,
    ResultStatus,
)
from akili_cli.features.heartbeats.precheck import check
from akili_cli.features.heartbeats.service import HeartbeatService, as_due
from akili_cli.features.heartbeats.settings import HeartbeatSettings

RESULTS = {
    Status.OK: ResultStatus.SUCCESS,
    Status.PLANNED: ResultStatus.SUCCESS,
    Status.DENIED: ResultStatus.DENIED,
    Status.APPROVAL_REQUIRED: ResultStatus.AWAITING_APPROVAL,
    Status.BUDGET_EXCEEDED: ResultStatus.BUDGET_EXCEEDED,
    Status.TIMEOUT: ResultStatus.TIMEOUT,
    Status.INTERRUPTED: ResultStatus.INTERRUPTED,
}
FIRES = {
    ResultStatus.SUCCESS: FireStatus.OK,
    ResultStatus.UNCHANGED: FireStatus.OK,
    ResultStatus.SKIPPED: FireStatus.OK,
    ResultStatus.DENIED: FireStatus.DENIED,
    ResultStatus.AWAITING_APPROVAL: FireStatus.DENIED,
    ResultStatus.BUDGET_EXCEEDED: FireStatus.BUDGET_EXCEEDED,
    ResultStatus.TIMEOUT: FireStatus.TIMEOUT,
    ResultStatus.INTERRUPTED: FireStatus.INTERRUPTED,
}
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatSchedule:
    """A ``core.schedule.base.Schedule``. ``agent`` works on the prompts, ``pipeline`` takes the prechecks."""

    settings: HeartbeatSettings
    db: Database
    agent: GoalRunner
    pipeline: Pipeline
    notifier: Notifier
    clock: Clock
    kind: str = KIND
    durable: bool = True

    @property
    def poll_s(self) -> float:
        """How long a task that somebody else stored may go unseen."""
        return self.settings.poll_interval_seconds

    @property
    def max_running(self) -> int:
        """How many tasks run side by side here."""
        return self.settings.max_concurrent_tasks

    def next_at(self, connection: Connection, org: str) -> float | None:
        """Give the earliest next run."""
        return store.next_at(connection, org)

    def due(self, connection: Connection, org: str, now: float, limit: int) -> list[Job]:
        """Give what is due."""
        return [as_due(task) for task in store.due(connection, org, now, limit)]

    def advance(self, connection: Connection, org: str, job_id: str, next_run_at: float) -> None:
        """Move a task on."""
        store.advance(connection, org, job_id, next_run_at)

    async def run(self, fire: Fire, steps: Steps) -> Ended:
        """Run a task as the fire's user.

        1. What it says is read, once. 2. Over its daily cap it is skipped. 3. Its precheck looks; without a change
        since the last good run no model is asked. 4. Its prompt is a goal for the agent. A run that a person asks
        for passes 2 and 3.
        """
        began = self.clock.monotonic()
        told = cast("Mapping[str, Any]", await steps.step("task", lambda: self._told(fire)))
        if "ended" in told:
            return _ended(ResultStatus(told["ended"]), error=told["error"])
        correlation_id, digest = correlation_of(fire.id), ""
        if told["precheck"] is not None:
            checked = await check(
                Precheck(PrecheckKind(told["precheck"][0]), told["precheck"][1]),
                self.pipeline,
                Principal(fire.user, Source.HEARTBEAT, org=fire.org),
                steps,
                correlation_id=correlation_id,
                max_cost_usd=told["budget_usd"],
            )
            if not checked.digest:
                status = RESULTS.get(checked.status, ResultStatus.FAILURE)
                return _ended(status, error=f"precheck: {checked.error}")
            if checked.digest == told["digest"]:
                return _ended(ResultStatus.UNCHANGED)
            digest = checked.digest
        reached = await self.agent.run(
            Goal(
                text=told["prompt"],
                user=fire.user,
                source=Source.HEARTBEAT,
                org=fire.org,
                correlation_id=correlation_id,
                max_cost_usd=told["budget_usd"],
                timeout_s=told["timeout_s"],
            ),
            steps,
        )
        return _reached(reached, digest, self.clock.monotonic() - began)

    async def _told(self, fire: Fire) -> dict[str, object]:
        """Read what the task says now, or why it is not run."""
        task = await self.db.read(lambda connection: store.get(connection, fire.org, fire.job_id))
        if task is None or task.deleted_at is not None:
            return {"ended": str(ResultStatus.FAILURE), "error": "its file no longer holds this task"}
        spec, settings = task.spec, self.settings
        cap = spec.max_runs_per_day or settings.max_runs_per_day
        done = task.runs_today if task.day == day_of(self.clock.now()) else 0
        if not fire.manual and cap is not None and done >= cap:
            return {"ended": str(ResultStatus.SKIPPED), "error": f"it ran {done} times today, and may {cap} times"}
        quick = spec.mode is Mode.QUICK
        gated = spec.precheck is not None and not fire.manual
        return {
            "prompt": spec.prompt,
            "budget_usd": spec.budget_usd,
            "timeout_s": settings.quick_task_timeout_seconds if quick else settings.long_task_timeout_seconds,
            "precheck": [str(spec.precheck.kind), spec.precheck.value] if gated and spec.precheck else None,
            "digest": task.digest,
        }

    def ended(self, connection: Connection, fire: Fire, ended: Ended, now: float) -> None:
        """Keep the books of an end, and queue what is to be told."""
        note_end(connection, fire, ended, now, settings=self.settings, notifier=self.notifier)


def _ended(status: ResultStatus, *, error: str = "") -> Ended:
    """End a fire that asked no model."""
    bad = status not in (ResultStatus.UNCHANGED, ResultStatus.SKIPPED)
    return Ended(
        status=FIRES.get(status, FireStatus.FAILED),
        error=error if bad else "",
        summary="" if bad else (error or "no change since the last good run"),
        details={"result": str(status)},
    )


def _reached(reached: Reached, digest: str, duration_s: float) -> Ended:
    status = RESULTS.get(Status(reached.status), ResultStatus.FAILURE)
    good = status is ResultStatus.SUCCESS
    return Ended(
        status=FIRES.get(status, FireStatus.FAILED),
        run_id=reached.run_id,
        error="" if good else (reached.error or "; ".join(reached.denials) or str(status)),
        summary=reached.answer[:SUMMARY_CHARS],
        cost_usd=reached.cost_usd,
        details={
            "result": str(status),
            "asked": True,
            "tokens": reached.tokens,
            "duration_s": round(duration_s, 3),
            "output": reached.answer[:OUTPUT_CHARS],
            "digest": digest,
        },
    )


@dataclass(slots=True)
class HeartbeatFiles:
    """A ``core.schedule.base.Chore``: keeps the stored tasks in step with the files; a problem is logged once."""

    service: HeartbeatService
    by: Principal
    every_s: float
    name: str = "heartbeat files"
    _logged: set[str] = field(default_factory=set)

    async def tick(self, _now: float) -> None:
        """Read the files."""
        synced = await self.service.sync(self.by)
        for problem in synced.problems:
            if problem not in self._logged:
                _LOG.warning("a heartbeat file has a problem: %s", problem)
        self._logged = set(synced.problems)
        if synced.added or synced.changed or synced.removed:
            counts = {"added": len(synced.added), "changed": len(synced.changed), "removed": len(synced.removed)}
            _LOG.info("heartbeat tasks changed", extra={"action": "heartbeats.sync", **counts})
