"""A decided call on its way to a ruling, and what the ruling may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from akili_cli.core.approvals.grants import Asked
from akili_cli.core.approvals.model import Approval
from akili_cli.core.sandbox.base import Layer
from akili_cli.domain.calls import Run, ToolCall
from akili_cli.domain.decisions import Decision, Permit
from akili_cli.domain.effects import Effects

SHORT_ID_CHARS = 8


@dataclass(frozen=True, slots=True)
class Held:
    """The call waits for a human."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class Refused:
    """The call will not run: a rule or a person said no."""

    because: str
    rule_id: str
    approval_id: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """The call was put into the run's plan instead of being run."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class Edited:
    """A person changed the call; the changed one must be decided on anew."""

    call: ToolCall


Settled = Permit | Held | Refused | Planned | Edited


def no_layers() -> tuple[Layer, ...]:
    """Give nothing: no sandbox is known."""
    return ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an action would happen, for the card; ``layers`` reports the sandbox's, and may try them first."""

    host: str
    cwd: str
    layers: Callable[[], tuple[Layer, ...]] = no_layers


@dataclass(frozen=True, slots=True)
class Request:
    """A decided call: what ``settle`` rules on. ``reason`` is the model's text around the call.

    ``role`` and ``at`` (epoch seconds) are what it was decided with, for the record.
    """

    call: ToolCall
    run: Run
    effects: Effects
    decision: Decision
    digest: str
    reason: str = ""
    role: str | None = None
    at: float = 0.0


def asked_of(request: Request) -> Asked:
    """Give what standing rulings are tried against; a session is the conversation, or the run without one."""
    run = request.run
    session = run.conversation_id or run.id
    user, tool = run.principal.user, request.call.name
    return Asked(user, session, tool, request.digest, request.effects, request.decision)


def as_card(approval: Approval) -> Mapping[str, object]:
    """Give the fields that every surface shows, JSON-ready. ``reason`` is the model's own text, never verified."""
    return {
        "id": approval.id,
        "short_id": approval.id[:SHORT_ID_CHARS],
        "status": str(approval.status),
        "risk": approval.risk,
        "tool": approval.tool,
        "arguments": approval.arguments,
        "user": approval.user,
        "source": str(approval.source),
        "agent": approval.agent,
        "host": approval.host,
        "cwd": approval.cwd,
        "effects": approval.effects,
        "reversible": approval.effects.get("reversible", True),
        "rule": approval.rule_id,
        "origin": approval.rule_origin,
        "because": approval.because,
        "reason": approval.reason,
        "untrusted": list(approval.untrusted),
        "plan": approval.plan_id,
        "digest": approval.digest,
        "created_at": approval.created_at,
        "expires_at": approval.expires_at,
        "resolved_by": approval.resolved_by,
        "feedback": approval.feedback,
        "outcome": approval.outcome,
    }
