"""Who asks for what, and what came of it."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from akili_cli.domain.decisions import Decision


class Source(enum.StrEnum):
    """The entry point a request came in by."""

    CLI = "cli"
    REPL = "repl"
    HTTP = "http"
    CHAT = "chat"
    CRON = "cron"
    HEARTBEAT = "heartbeat"
    ALERT = "alert"
    WORKFLOW = "workflow"
    MEMBER = "member"
    AUTOPILOT = "autopilot"
    MCP = "mcp"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is responsible for a request: the user, the agent acting for them, and where it came in."""

    user: str
    source: Source = Source.CLI
    agent: str | None = None
    org: str = "default"


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of anything; every call names the run it belongs to.

    ``untrusted`` names the outside texts that are in context since the last human turn (stdin, files, web);
    while it is not empty, writes, egress and commands count as one risk level higher. ``skill`` is the runbook
    being played, if any. In a ``plan`` run what would change anything is collected instead of done. ``parent_id``
    is the run that started this one: it pays too. ``once`` names the call within a run that survives crashes: such a
    call is begun at most once, and waits where it is for a human's ruling.
    """

    id: str
    principal: Principal
    correlation_id: str
    conversation_id: str | None = None
    untrusted: tuple[str, ...] = ()
    autonomous: bool = False
    read_only: bool = False
    plan: bool = False
    max_cost_usd: float | None = None
    skill: str | None = None
    parent_id: str | None = None
    once: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A request to use a tool. Arguments are untrusted JSON until the tool's own ``Args`` accepted them."""

    id: str
    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)


class Status(enum.StrEnum):
    """How a call or a whole run ended; the words of ``--json``."""

    OK = "ok"
    FAILED = "failed"
    INVALID = "invalid"
    DENIED = "denied"
    APPROVAL_REQUIRED = "approval_required"
    PLANNED = "planned"
    BUDGET_EXCEEDED = "budget_exceeded"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"

    @property
    def is_refusal(self) -> bool:
        """Whether akili said no, or not yet."""
        return self in (Status.DENIED, Status.APPROVAL_REQUIRED, Status.BUDGET_EXCEEDED)


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool gives back. ``untrusted`` labels text that came from outside (``file /etc/motd``)."""

    text: str
    ok: bool = True
    metadata: Mapping[str, object] = field(default_factory=dict)
    cost_usd: float = 0.0
    untrusted: str | None = None
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class StepResult:
    """What the pipeline answers for one call, whatever happened to it.

    ``text`` is what the model or the person reads. ``decision`` is None only when the call was invalid.
    ``layers`` are the sandbox layers that were active, in the order of the sandbox's report.
    """

    call: ToolCall
    status: Status
    text: str
    audit_id: str
    decision: Decision | None = None
    approval_id: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    duration_s: float = 0.0
    cost_usd: float = 0.0
    cached: bool = False
    untrusted: str | None = None
    layers: tuple[str, ...] = ()


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)


def canonical_json(value: object) -> str:
    """Write a value as the one JSON text that digests are made of (sorted keys, no spaces, ASCII)."""
    return _CANONICAL.encode(value)


def call_digest(principal: Principal, name: str, arguments: Mapping[str, object]) -> str:
    """Give the SHA-256 (hex) that an approval, a permit and an audit record share for one exact call."""
    body = canonical_json([principal.org, principal.user, name, arguments])
    return hashlib.sha256(body.encode()).hexdigest()
