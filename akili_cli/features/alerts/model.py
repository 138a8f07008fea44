"""What an alert rule is, what strangers may write into one, and what a check leaves behind."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from akili_cli.domain.clock import iso

KIND = "alert"
PERMISSION = "create_alert"
MAX_COOLDOWN_S = 7 * 86400
MAX_WINDOW = 20
_N_OF = re.compile(r"([1-9][0-9]?)(?: *(?:/|of) *([1-9][0-9]?))?", re.ASCII)


class Standing(enum.StrEnum):
    """What one check found, what a rule's status is, and what people were told. ``flapping`` is only told."""

    OK = "ok"
    ALERT = "alert"
    ERROR = "error"
    FLAPPING = "flapping"


def n_of(text: str) -> tuple[int, int]:
    """Read ``2 of 3`` (also ``2/3``; ``2`` means 2 of 2); raises ``ValueError``."""
    found = _N_OF.fullmatch(text.strip())
    needed, window = (0, 0) if found is None else (int(found[1]), int(found[2] or found[1]))
    if not 1 <= needed <= window <= MAX_WINDOW:
        raise ValueError(f"must be like `2 of 3`, up to {MAX_WINDOW}")
    return needed, window


def _n_of_text(text: str) -> str:
    needed, window = n_of(text)
    return f"{needed} of {window}"


Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/]+$")]
Text = Annotated[str, StringConstraints(max_length=2000)]
TargetText = Annotated[str, StringConstraints(min_length=1, max_length=8192, pattern=r"^[^\x00]*$")]
CheckType = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Config = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=40)],
        Annotated[str, StringConstraints(max_length=8192, pattern=r"^[^\x00]*$")],
    ],
    Field(max_length=20),
]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Channels = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...], Field(min_length=1, max_length=20)
]
Cooldown = Annotated[int, Field(ge=1, le=MAX_COOLDOWN_S)]
NOf = Annotated[str, StringConstraints(max_length=20), AfterValidator(_n_of_text)]


class RuleDraft(BaseModel):
    """A new rule as it is asked for; ``cooldown_seconds`` left out is the configured default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name
    target: TargetText
    check_type: CheckType
    cron_expression: Expression
    channels: Channels = Field(strict=False)
    description: Text = ""
    check_config: Config = Field(default_factory=dict)
    cooldown_seconds: Cooldown | None = None
    n_of: NOf = "1 of 1"
    enabled: bool = True


class RuleChanges(BaseModel):
    """What is to be different; a field left out stays. ``check_config`` is replaced whole."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name | None = None
    target: TargetText | None = None
    check_type: CheckType | None = None
    cron_expression: Expression | None = None
    channels: Channels | None = Field(None, strict=False)
    description: Text | None = None
    check_config: Config | None = None
    cooldown_seconds: Cooldown | None = None
    n_of: NOf | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What is looked at, and how: a type of check, its target and its settings."""

    type: str
    target: str
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found: ``ok``, ``alert`` (the target is bad) or ``error`` (it could not be looked at)."""

    status: Standing
    message: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One check in a rule's memory: what it found, and whether the rule's status changed with it."""

    found: Standing
    turned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a rule stands. ``status`` is confirmed, ``announced`` is what people were told last.

    ``recent`` holds the last checks, oldest first. Times are epoch seconds.
    """

    status: Standing = Standing.OK
    announced: Standing = Standing.OK
    recent: tuple[Seen, ...] = ()
    flapping: bool = False
    last_checked_at: float | None = None
    last_alerted_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One rule. Its checks run as ``user``, who made it. It is bad after ``needed`` bad of the last ``window``."""

    id: str
    org: str
    name: str
    description: str
    check: Check
    cron_expression: str
    channels: tuple[str, ...]
    user: str
    enabled: bool
    cooldown_seconds: int
    needed: int
    window: int
    next_run_at: float
    created_at: float
    updated_at: float
    muted_until: float | None = None
    state: State = field(default_factory=State)

    def as_dict(self) -> dict[str, object]:
        """Give the JSON-ready form: times in ISO 8601, what is not set left out."""
        state = self.state
        out: dict[str, object] = {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "target": self.check.target,
            "check_type": self.check.type,
            "check_config": dict(self.check.config),
            "cron_expression": self.cron_expression,
            "channels": list(self.channels),
            "user_id": self.user,
            "enabled": self.enabled,
            "cooldown_seconds": self.cooldown_seconds,
            "n_of": f"{self.needed} of {self.window}",
            "last_status": str(state.status),
            "announced_status": str(state.announced),
            "flapping": state.flapping,
        }
        times = {
            "last_checked_at": state.last_checked_at,
            "last_alerted_at": state.last_alerted_at,
            "muted_until": self.muted_until,
            "next_run_at": self.next_run_at,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }
        out |= {name: iso(at) for name, at in times.items() if at is not None}
        return {name: value for name, value in out.items() if value != ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a rule's history: what a check ``found``, the ``status`` after it and before it, what was told.

    ``announced`` is what people were told by it (empty: nothing), ``deliveries`` are the ids of the messages.
    """

    id: str
    org: str
    rule_id: str
    fire_id: str
    found: Standing
    status: Standing
    previous_status: Standing
    message: str
    announced: str
    notified_via: tuple[str, ...]
    deliveries: tuple[str, ...]
    check_duration_ms: float
    created_at: float

    def as_dict(self) -> dict[str, object]:
        """Give the JSON-ready form."""
        out = asdict(self)
        del out["org"]
        out["alert_rule_id"] = out.pop("rule_id")
        out["created_at"] = iso(self.created_at)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in out.items()}
