"""Alert rules as the ticker sees them: one look at a target, as the rule's user, and what people are told of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.base import Connection
from akili_cli.core.schedule.base import Ended, Fire, FireStatus, Job, Notice, Notifier, OnMissed
from akili_cli.domain.calls import Principal, Source, Status
from akili_cli.domain.clock import Clock
from akili_cli.domain.ids import new_uuid
from akili_cli.features.alerts import store
from akili_cli.features.alerts.checking import Checker
from akili_cli.features.alerts.logic import Limits, Step, step
from akili_cli.features.alerts.model import KIND, AlertRule, Check, Entry, Result, Standing
from akili_cli.features.alerts.settings import AlertingSettings

ANY_AGE_S = 1e12
"""A check that is overdue is made, however late it is."""

_REFUSALS = {
    Status.DENIED: FireStatus.DENIED,
    Status.APPROVAL_REQUIRED: FireStatus.DENIED,
    Status.BUDGET_EXCEEDED: FireStatus.BUDGET_EXCEEDED,
    Status.INTERRUPTED: FireStatus.INTERRUPTED,
}
_SAYS = {
    Standing.OK: "is ok again",
    Standing.ALERT: "alert",
    Standing.ERROR: "cannot be checked",
    Standing.FLAPPING: "is flapping",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSchedule:
    """A ``core.schedule.base.Schedule``. Checks only look, so one that a node lost is made again."""

    settings: AlertingSettings
    checker: Checker
    notifier: Notifier
    clock: Clock
    kind: str = KIND
    durable: bool = False

    @property
    def poll_s(self) -> float:
        """How long a rule that somebody else added may go unseen."""
        return self.settings.poll_interval_seconds

    @property
    def max_running(self) -> int:
        """How many checks run side by side here."""
        return self.settings.max_concurrent_checks

    def next_at(self, connection: Connection, org: str) -> float | None:
        """Give the earliest next check."""
        return store.next_at(connection, org)

    def due(self, connection: Connection, org: str, now: float, limit: int) -> list[Job]:
        """Give what is due."""
        return [as_due(rule) for rule in store.due(connection, org, now, limit)]

    def advance(self, connection: Connection, org: str, job_id: str, next_run_at: float) -> None:
        """Move a rule on."""
        store.advance(connection, org, job_id, next_run_at)

    async def run(self, fire: Fire, steps: Steps) -> Ended:  # noqa: ARG002  # a look needs no steps
        """Look once, as the fire's user."""
        who = Principal(fire.user, Source.ALERT, org=fire.org)
        since = float(cast("Mapping[str, Any]", fire.payload)["since"])
        begun = self.clock.monotonic()
        looked = await self.checker.check(_check_of(fire), who, since=since)
        took = (self.clock.monotonic() - begun) * 1000
        result = looked.result
        bad = FireStatus.FAILED if looked.status is None else _REFUSALS.get(looked.status, FireStatus.FAILED)
        is_error = result.status is Standing.ERROR
        return Ended(
            status=bad if is_error else FireStatus.OK,
            error=result.message if is_error else "",
            summary=result.message,
            details={"found": str(result.status), "check_duration_ms": round(took, 3)},
        )

    def ended(self, connection: Connection, fire: Fire, ended: Ended, now: float) -> None:
        """Take in what was found, write it down, and queue what people are to be told: in one transaction, once.

        What a check found that the rule does not make any more says nothing about the rule.
        """
        rule = store.get(connection, fire.org, fire.job_id)
        if rule is None or rule.check != _check_of(fire):
            return
        found = Standing(str(ended.details.get("found", Standing.ERROR)))
        result = Result(found, ended.summary or ended.error or str(ended.status))
        limits = Limits(rule.needed, rule.window, float(rule.cooldown_seconds), rule.muted_until)
        done = step(rule.state, found, now, limits)
        deliveries = self._tell(connection, fire, rule, done, result, now)
        store.settle(connection, replace(rule, state=done.state))
        if done.waits_until is not None:
            store.hasten(connection, fire.org, rule.id, float(math.ceil(done.waits_until)))
        store.note(
            connection,
            Entry(
                id=new_uuid(),
                org=fire.org,
                rule_id=rule.id,
                fire_id=fire.id,
                found=found,
                status=done.state.status,
                previous_status=rule.state.status,
                message=result.message,
                announced=str(done.tells or ""),
                notified_via=rule.channels if done.tells else (),
                deliveries=deliveries,
                check_duration_ms=float(str(ended.details.get("check_duration_ms", 0.0))),
                created_at=now,
            ),
        )

    def _tell(
        self, connection: Connection, fire: Fire, rule: AlertRule, done: Step, result: Result, now: float
    ) -> tuple[str, ...]:
        if done.tells is None:
            return ()
        return self.notifier.queue(connection, fire.org, _notice(fire, rule, done, done.tells, result), now)


def _notice(fire: Fire, rule: AlertRule, done: Step, tells: Standing, result: Result) -> Notice:
    lines = [
        f"rule: {rule.name} ({rule.id})",
        f"target: {rule.check.target}",
        f"status: {tells} (previous: {done.told_before})",
        f"details: {result.message}",
    ]
    if tells is Standing.FLAPPING:
        lines.append(f"Its status keeps changing (now {done.state.status}); nothing more is said until it settles.")
    return Notice(
        key=f"{fire.id}:{tells}",
        channels=rule.channels,
        subject=f"{rule.name}: {_SAYS[tells]}",
        body="\n".join(lines),
        user=rule.user,
        source=Source.ALERT,
        metadata={
            "type": "alert",
            "alert_rule_id": rule.id,
            "status": str(tells),
            "previous_status": str(done.told_before),
            "target": rule.check.target,
        },
    )


def as_due(rule: AlertRule) -> Job:
    """Give a rule as the ticker sees it; overdue checks are made once."""
    return Job(
        id=rule.id,
        user=rule.user,
        cron=rule.cron_expression,
        next_run_at=rule.next_run_at,
        payload={
            "name": rule.name,
            "check_type": rule.check.type,
            "target": rule.check.target,
            "check_config": dict(rule.check.config),
            "since": rule.created_at,
        },
        on_missed=OnMissed.RUN_ONCE,
        window_s=ANY_AGE_S,
    )


def _check_of(fire: Fire) -> Check:
    told = cast("Mapping[str, Any]", fire.payload)
    return Check(told["check_type"], told["target"], told["check_config"])
