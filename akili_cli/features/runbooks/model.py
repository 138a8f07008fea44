"""What a runbook is made of; the pydantic classes are the schema of what people write."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from akili_cli.domain.durations import parse_duration
from akili_cli.features.runbooks.patterns import check_pattern

Scalar = str | int | float | bool | None
Op = Literal["in", "==", "!=", "<", "<=", ">", ">=", "contains", "matches", "absent", "present"]
BARE_OPS = frozenset({"absent", "present"})

STEP_ID = r"^[a-z][a-z0-9]*([_-][a-z0-9]+)*$"
MAX_FOREACH = 20


class Severity(enum.StrEnum):
    """How bad it is. ``unknown`` means that something could not be looked at, which is never healthy."""

    OK = "ok"
    INFO = "info"
    UNKNOWN = "unknown"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Give a number that orders severities, worst highest."""
        return tuple(Severity).index(self)


class StepStatus(enum.StrEnum):
    """What became of one step."""

    OK = "ok"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"
    DENIED = "denied"
    APPROVAL_REQUIRED = "approval_required"
    SKIPPED = "skipped"


class _Written(BaseModel):
    """Text of a stranger: unknown keys are errors, types are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Condition(_Written):
    """A comparison as data: one cell, an operator, a value."""

    column: str | None = Field(None, min_length=1)
    path: str | None = Field(None, min_length=1)
    count: bool = False
    percent_of: str | None = Field(None, min_length=1)
    op: Op
    value: Scalar | Annotated[tuple[Scalar, ...], Field(strict=False)] = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if sum((self.column is not None, self.path is not None, self.count)) > 1:
            raise ValueError("give one of column, path, count")
        if self.percent_of is not None and self.column is None:
            raise ValueError("percent_of needs column")
        if self.op in BARE_OPS:
            if "value" in self.model_fields_set:
                raise ValueError(f"{self.op} takes no value")
        elif self.value is None:
            raise ValueError(f"{self.op} needs a value")
        if (self.op == "in") != isinstance(self.value, tuple):
            raise ValueError("a list of values goes with 'in', and only with it")
        if self.op == "matches":
            check_pattern(str(self.value))
        return self


class FindingRule(Condition):
    """What makes a finding: every row for which the condition holds."""

    where: tuple[Condition, ...] = Field((), strict=False)
    severity: Literal["info", "warning", "critical"]
    say: str = Field(min_length=1, max_length=500)
    then: str = Field("", max_length=500)


class FactRule(_Written):
    """What the report states whether or not it is a problem; ``none`` is said when no row is left."""

    label: str = Field(min_length=1, max_length=60)
    say: str = Field(min_length=1, max_length=500)
    where: tuple[Condition, ...] = Field((), strict=False)
    none: str = Field("none", max_length=200)
    limit: int = Field(10, ge=1, le=50)
    rest: bool = Field(True, description="say how many rows the limit left out")


class Capture(_Written):
    """How a step's output becomes rows."""

    kind: Literal["text", "lines", "table", "json", "regex", "sockets"] = "text"
    columns: tuple[str, ...] = Field((), strict=False)
    header: bool = True
    pattern: str = Field("", max_length=400)
    path: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        only = {"columns": "table", "header": "table", "pattern": "regex", "path": "json"}
        for key in sorted(self.model_fields_set - {"kind"}):
            if only[key] != self.kind:
                raise ValueError(f"{key} goes with kind {only[key]}, not {self.kind}")
        if not self.header and not self.columns:
            raise ValueError("a table without a header needs columns")
        if self.kind == "regex" and not re.compile(check_pattern(self.pattern)).groupindex:
            raise ValueError("a regex needs at least one named group, (?P<name>...)")
        return self


class When(_Written):
    """Plays a step only after an earlier one ended this way."""

    step: str
    severity: str | None = Field(None, pattern=r"^(>=|==) (ok|info|warning|critical)$")
    status: Literal["ok", "failed", "not_checked"] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.severity is None) == (self.status is None):
            raise ValueError("give severity or status")
        return self


class Foreach(_Written):
    """Plays a step once per row of an earlier capture; ``${item}`` is the row's cell (or its line)."""

    step: str
    column: str = "line"
    where: tuple[Condition, ...] = Field((), strict=False)


class Step(_Written):
    """One tool call and what its output means.

    ``ok_exits`` are exit codes that count as success; any of the texts ``not_checked_when``, or fewer rows
    than ``min_rows``, mean that the output says nothing about the host. ``verify`` steps play after this one
    ran; ``rollback`` steps play only when a verify step failed.
    """

    id: str = Field(pattern=STEP_ID, max_length=40)
    title: str = Field("", max_length=120)
    tool: str = Field(min_length=1)
    with_: dict[str, object] = Field(default_factory=dict, alias="with")
    timeout: str | None = None
    capture: Capture = Capture()
    facts: tuple[FactRule, ...] = Field((), strict=False)
    findings: tuple[FindingRule, ...] = Field((), strict=False)
    when: When | None = None
    foreach: Foreach | None = None
    ok_exits: tuple[int, ...] = Field((0,), strict=False, min_length=1)
    not_checked: str = Field("", max_length=200)
    not_checked_when: tuple[str, ...] = Field((), strict=False)
    min_rows: int = Field(0, ge=0, le=1000)
    on_fail: Literal["continue", "stop"] = "continue"
    verify: tuple[Step, ...] = Field((), strict=False)
    rollback: tuple[Step, ...] = Field((), strict=False)

    @field_validator("timeout")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text is not None:
            parse_duration(text)
        return text

    @field_validator("id")
    @classmethod
    def _unnumbered(cls, text: str) -> str:
        if re.search(r"-[0-9]+$", text):
            raise ValueError("a step id does not end in a number after '-'")
        return text

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.rollback and not self.verify:
            raise ValueError("rollback needs verify, which decides whether it plays")
        return self

    @property
    def heading(self) -> str:
        """The words for people."""
        return self.title or self.id.replace("_", " ").replace("-", " ")

    def with_nested(self) -> tuple[Step, ...]:
        """Give this step and the ones inside it."""
        inner = (*self.verify, *self.rollback)
        return (self, *(deep for step in inner for deep in step.with_nested()))


InputType = Literal["string", "int", "float", "bool", "duration", "path", "url", "host"]


class InputSpec(_Written):
    """One thing a person may set. Neither required nor with a default: steps that use it play only when set."""

    type: InputType = "string"
    default: str | int | float | bool | None = None
    required: bool = False
    pattern: str | None = Field(None, max_length=400)
    choices: tuple[str, ...] = Field((), strict=False)
    help: str = Field("", max_length=200)

    @field_validator("pattern")
    @classmethod
    def _safe(cls, text: str | None) -> str | None:
        return None if text is None else check_pattern(text)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.required and self.default is not None:
            raise ValueError("an input with a default is not required")
        return self


ROLES = (
    "orchestrator",
    "planner",
    "researcher",
    "executor",
    "compliance",
    "diagnostician",
    "analyst",
    "validator",
)
Role = Literal[
    "orchestrator", "planner", "researcher", "executor", "compliance", "diagnostician", "analyst", "validator"
]


class FrontMatter(_Written):
    """The block at the top of a runbook file."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
    agent_role: Role
    category: str = Field(min_length=1, max_length=60)
    tools_required: tuple[str, ...] = Field(strict=False, min_length=1)
    risk_level: Literal["low", "medium", "high", "critical"]
    default_budget: float = Field(gt=0, allow_inf_nan=False)
    description: str = Field("", max_length=500)
    keywords: tuple[str, ...] = Field((), strict=False)
    inputs: dict[str, InputSpec] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Runbook:
    """One runbook file. ``body`` is everything after the front matter; ``lines`` says where steps stand.

    ``sections`` maps lower-case headings to the bullet texts below them.
    """

    slug: str
    path: str
    front: FrontMatter
    body: str
    sha256: str
    steps: tuple[Step, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    sections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The runbook's name as written."""
        return self.front.name

    def as_line(self) -> dict[str, object]:
        """Give one line of a list, JSON-ready."""
        return {
            "name": self.slug,
            "category": self.front.category,
            "role": self.front.agent_role,
            "risk": self.front.risk_level,
            "steps": len(self.steps),
            "description": self.front.description or self.name,
        }

    def all_steps(self) -> tuple[Step, ...]:
        """Give every step, nested ones included, in the order written."""
        return tuple(deep for step in self.steps for deep in step.with_nested())


@dataclass(frozen=True, slots=True)
class Match:
    """A runbook that fits a message; ``score`` runs from 0 (nothing) to 2 (named in full)."""

    slug: str
    name: str
    category: str
    path: str
    score: float


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a runbook file; a ``warning`` does not keep it from being used."""

    path: str
    line: int | None
    level: Literal["error", "warning"]
    text: str

    def __str__(self) -> str:
        """Give ``file:line: level: what``."""
        where = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.level}: {self.text}"
