"""An alert rule with everything filled in, and what the alerts room needs from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from akili_cli.adapters.storage.base import Connection
from akili_cli.core.schedule.base import Fire, Notice
from akili_cli.domain.calls import Status, StepResult, ToolCall
from akili_cli.features.alerts.model import AlertRule, Check
from akili_cli.features.alerts.worker import as_due

RULE = AlertRule(
    id="r1",
    org="default",
    name="web",
    description="",
    check=Check("tcp", "localhost:80", {}),
    cron_expression="* * * * *",
    channels=("ops",),
    user="ann",
    enabled=True,
    cooldown_seconds=300,
    needed=1,
    window=1,
    next_run_at=0.0,
    created_at=0.0,
    updated_at=0.0,
)


def rule(**more: Any) -> AlertRule:
    return replace(RULE, **more)


def fire_of(rule: AlertRule, number: int = 1) -> Fire:
    return Fire(
        id=f"alert:{rule.id}:{number}",
        org=rule.org,
        kind="alert",
        job_id=rule.id,
        fire_at=float(number),
        user=rule.user,
        payload=as_due(rule).payload,
        node="n",
    )


def step(status: Status, text: str = "said", **metadata: object) -> StepResult:
    return StepResult(ToolCall("c", "t"), status, text, "a", metadata=metadata)


class Outbox:
    """A notifier of the tests: knows one channel and keeps what it is given."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def queue(self, _connection: Connection, _org: str, notice: Notice, _now: float) -> tuple[str, ...]:
        self.notices.append(notice)
        return tuple(f"d-{len(self.notices)}-{name}" for name in notice.channels)

    def unknown(
        self, _connection: Connection, _org: str, channels: Sequence[str], by: object = None
    ) -> tuple[str, ...]:
        return tuple(name for name in channels if name != "ops")
