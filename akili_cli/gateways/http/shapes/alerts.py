"""Alert rules as requests write them and answers show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from akili_cli.domain.durations import parse_duration
from akili_cli.features.alerts.checking import Looked
from akili_cli.features.alerts.model import (
    MAX_COOLDOWN_S,
    AlertRule,
    Channels,
    CheckType,
    Config,
    Entry,
    NOf,
    RuleChanges,
    RuleDraft,
    Standing,
    TargetText,
    Text,
)
from akili_cli.gateways.http.shapes.fields import STRICT, filled_in

MAX_MUTE_S = 366 * 86_400.0
Cooldown = Annotated[int, Field(ge=0, le=MAX_COOLDOWN_S, description="0 means the configured default")]
_NEW: JsonDict = {
    "name": "shop front",
    "target": "https://shop.example.com/health",
    "check_type": "http_status",
    "cron_expression": "*/5 * * * *",
    "channels": ["ops"],
    "check_config": {"expected_status": "200"},
    "cooldown_seconds": 300,
}
_CHANGE: JsonDict = {"target": "https://shop.example.com/ready", "enabled": True}
_MUTE: JsonDict = {"duration": "2h"}


class NewAlert(RuleDraft):
    """A rule to be made; its checks run as the caller, and never with more than the caller may."""

    model_config = ConfigDict(**STRICT, json_schema_extra={"examples": [_NEW]})

    cooldown_seconds: Cooldown = 0

    def draft(self) -> RuleDraft:
        """Give it as the room takes it."""
        given = self.model_dump(exclude_unset=True)
        return RuleDraft.model_validate({**given, "cooldown_seconds": self.cooldown_seconds or None})


class AlertChange(BaseModel):
    """What is to be different: texts that are not empty and numbers above 0 replace, all else stays.

    ``check_config`` is replaced whole; a setting that was the target follows a changed target.
    """

    model_config = ConfigDict(**STRICT, json_schema_extra={"examples": [_CHANGE]})

    name: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f/]*$")] | None = None
    target: Annotated[str, StringConstraints(max_length=8192, pattern=r"^[^\x00]*$")] | None = None
    check_type: Annotated[str, StringConstraints(max_length=40)] | None = None
    cron_expression: Annotated[str, StringConstraints(max_length=200)] | None = None
    channels: Channels | None = Field(None, strict=False)
    description: Text | None = None
    check_config: Config | None = None
    cooldown_seconds: Cooldown | None = None
    n_of: NOf | None = None
    enabled: bool | None = None

    def changes(self) -> RuleChanges:
        """Give it as the room takes it."""
        return RuleChanges.model_validate(filled_in(self))


class Mute(BaseModel):
    """For how long a rule says nothing."""

    model_config = ConfigDict(**STRICT, json_schema_extra={"examples": [_MUTE]})

    duration: str = Field(min_length=2, max_length=20, description="such as 30m, 2h or 1h30m; a year at most")

    def seconds(self) -> float:
        """Give it in seconds; raises ``ValueError`` that says why not."""
        seconds = parse_duration(self.duration)
        if not 0 < seconds <= MAX_MUTE_S:
            raise ValueError("must be more than nothing and a year at most")
        return seconds


class AlertItem(BaseModel):
    """A rule. Times that are not set are left out."""

    id: str
    name: str
    description: str
    target: TargetText
    check_type: CheckType
    check_config: dict[str, str]
    cron_expression: str
    channels: list[str] = Field(description="names")
    channel_ids: list[str] = Field(description="of those channels that there still are")
    user_id: str = Field(description="whose it is, and whose authority it looks with")
    enabled: bool
    cooldown_seconds: int
    n_of: str
    last_status: Standing
    announced_status: Standing = Field(description="what people were told last")
    flapping: bool
    last_checked_at: str | None = None
    last_alerted_at: str | None = None
    muted_until: str | None = None
    next_run_at: str
    created_at: str
    updated_at: str


class AlertCheck(BaseModel):
    """One check of a rule's history."""

    id: str
    alert_rule_id: str
    found: Standing
    status: Standing
    previous_status: Standing
    message: str
    announced: str = Field(description="what people were told by it; empty: nothing")
    notified_via: list[str] = Field(description="ids of channels that there still are")
    notify_errors: dict[str, str] = Field(description="channel names to why nothing was sent")
    check_duration_ms: float
    created_at: str


class AlertTested(BaseModel):
    """What a check found just now, with the caller's authority; nothing was changed and nobody was told."""

    status: Standing
    message: str
    refused: bool = Field(description="whether policy, an approval that is missing or the budget kept it from looking")


def rule_item(rule: AlertRule, ids: Mapping[str, str]) -> dict[str, object]:
    """Show a rule; ``ids`` are those of channels, by name."""
    found = [ids[name] for name in rule.channels if name in ids]
    return {"description": "", **rule.as_dict(), "channel_ids": found}


def check_line(entry: Entry, ids: Mapping[str, str], not_sent: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    """Show a check; ``not_sent`` are deliveries of which nothing was sent, each with its channel and the reason."""
    shown = entry.as_dict()
    for name in ("fire_id", "deliveries"):
        del shown[name]
    via = [ids[name] for name in entry.notified_via if name in ids]
    errors = dict(not_sent[one] for one in entry.deliveries if one in not_sent)
    return {**shown, "notified_via": via, "notify_errors": errors}


def found_now(looked: Looked) -> dict[str, object]:
    """Show what a check found."""
    refused = looked.status is not None and looked.status.is_refusal
    return {"status": str(looked.result.status), "message": looked.result.message, "refused": refused}
