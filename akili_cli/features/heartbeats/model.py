"""What a heartbeat task is, what people may write into its file, and how its runs end."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from akili_cli.domain.clock import iso

KIND = "heartbeat"
DEFAULT_BUDGET_USD = 0.50
MAX_BUDGET_USD = 10_000.0
MAX_RUNS = 100_000
MAX_NAME_CHARS = 200
MAX_PROMPT_CHARS = 20_000
SUMMARY_CHARS = 500
OUTPUT_CHARS = 16_384


class Mode(enum.StrEnum):
    """How long a task may take: ``heartbeat_tasks.quick_task_timeout_seconds`` or ``long_...``."""

    QUICK = "quick"
    LONG = "long"


class Notify(enum.StrEnum):
    """Which results channels are told of: every one, every bad one, or one that differs from the one before."""

    ALWAYS = "always"
    FAILURE = "failure"
    CHANGE = "change"


class ResultStatus(enum.StrEnum):
    """How a run ended. ``unchanged`` and ``skipped`` asked no model."""

    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    DENIED = "denied"
    BUDGET_EXCEEDED = "budget_exceeded"
    AWAITING_APPROVAL = "awaiting_approval"
    INTERRUPTED = "interrupted"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


GOOD = frozenset({ResultStatus.SUCCESS, ResultStatus.UNCHANGED})


class PrecheckKind(enum.StrEnum):
    """What is looked at before a model is asked: a command's output, a URL's answer, a file's content."""

    COMMAND = "command"
    HTTP = "http"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Precheck:
    """The gate of a task: ``value`` is the command line, the URL or the path."""

    kind: PrecheckKind
    value: str

    def __str__(self) -> str:
        """Write it as in the file."""
        return f"{self.kind} {self.value}"


_PLAIN = r"^[^\x00-\x1f\x7f]+$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]+$")]
Text = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
User = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PLAIN)]
Channel = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_PLAIN)]
Channels = Annotated[tuple[Channel, ...], Field(strict=False, max_length=20)]


class FrontMatter(BaseModel):
    """The head of a task file. A key without a value counts as left out."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name
    description: Text | None = None
    user_id: User | None = None
    default_cron: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    default_budget_usd: float | None = Field(None, gt=0, le=MAX_BUDGET_USD, allow_inf_nan=False)
    notification_channels: Channels | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One task as its file says; ``group`` is the file's name in its head. ``user`` None means the default user."""

    group: str
    name: str
    description: str
    path: str
    line: int
    user: str | None
    cron_expression: str
    mode: Mode
    prompt: str
    budget_usd: float
    channels: tuple[str, ...] = ()
    precheck: Precheck | None = None
    max_runs_per_day: int | None = None
    enabled: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same task when the file changes."""
        return self.group, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFile:
    """One file as it was read. ``problems`` read ``file:line: what``; a task with a problem is not among ``tasks``."""

    path: str
    sha256: str = ""
    group: str = ""
    tasks: tuple[TaskSpec, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatTask:
    """A task with what became of it. ``digest`` is what the precheck gave at the last good run.

    Times are epoch seconds; ``unchanged`` counts the looks that found no change, ``runs_today`` the runs of ``day``
    (UTC) and ``skipped_today`` what its daily cap left out.
    """

    id: str
    org: str
    spec: TaskSpec
    user: str
    next_run_at: float
    created_at: float
    updated_at: float
    deleted_at: float | None = None
    last_run_at: float | None = None
    last_status: ResultStatus | None = None
    last_error: str = ""
    last_summary: str = ""
    last_run_id: str = ""
    digest: str = ""
    unchanged: int = 0
    unchanged_at: float | None = None
    day: str = ""
    runs_today: int = 0
    skipped_today: int = 0

    @property
    def title(self) -> str:
        """What people call it: group and name."""
        return f"{self.spec.group}/{self.spec.name}"

    def as_dict(self) -> dict[str, object]:
        """Give the JSON-ready form: times in ISO 8601, what is not set left out."""
        out: dict[str, object] = {
            "id": self.id,
            **spec_dict(self.spec),
            "user_id": self.user,
        }
        for key, value in asdict(self).items():
            if key in ("id", "org", "spec", "user", "deleted_at", "digest") or value in (None, ""):
                continue
            out[key] = iso(value) if key.endswith("_at") else value
        return out


def spec_dict(spec: TaskSpec) -> dict[str, object]:
    """Give the JSON-ready form of what a file says, empty fields left out."""
    values = {**asdict(spec), "precheck": "" if spec.precheck is None else str(spec.precheck)}
    values["user_id"] = values.pop("user")
    kept = {key: value for key, value in values.items() if value not in (None, "", ())}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in kept.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatResult:
    """One line of the append-only record; ``id`` is the fire's."""

    id: str
    org: str
    task_id: str
    group: str
    name: str
    user: str
    status: ResultStatus
    output: str
    summary: str
    error: str
    run_id: str
    correlation_id: str
    tokens: int
    cost_usd: float | None
    duration_s: float
    ended_at: float
    notified_via: tuple[str, ...] = ()
    notify_errors: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Give the JSON-ready form."""
        out = {**asdict(self), "user_id": self.user, "ended_at": iso(self.ended_at)}
        for key in ("org", "user"):
            del out[key]
        return {**out, "status": str(self.status), "notified_via": list(self.notified_via)}
