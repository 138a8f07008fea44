"""A held call: the frozen action a human rules on, and the states it goes through once."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from akili_cli.domain.calls import Source


class ApprovalStatus(enum.StrEnum):
    """pending -> approved | denied | expired; approved -> consumed | expired. Nothing else, ever."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CONSUMED = "consumed"


@dataclass(frozen=True, slots=True)
class Approval:
    """One request for a human: everything any surface needs to show, and the digest that binds it.

    ``arguments`` are what will run, with a marker in the place of each registered secret, which is put back for
    the run alone; ``digest`` covers organisation, user, tool and the exact arguments.
    ``reason`` is the model's own text and never trusted. Times are epoch seconds. ``inputs`` maps each file the
    action depends on to its digest when it was asked for; a changed one voids the approval. ``plan_id`` and
    ``plan_index`` place it in a plan, ``skill`` names the runbook that asked. A run that ``waits`` goes on by itself
    once this is ruled on.
    """

    id: str
    org: str
    user: str
    source: Source
    run_id: str
    correlation_id: str
    call_id: str
    tool: str
    arguments: Mapping[str, object]
    digest: str
    risk: str
    effects: Mapping[str, object]
    rule_id: str
    rule_origin: str
    because: str
    reason: str
    cwd: str
    host: str
    created_at: float
    expires_at: float
    agent: str | None = None
    conversation_id: str | None = None
    untrusted: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    plan_id: str | None = None
    plan_index: int | None = None
    skill: str | None = None
    status: ApprovalStatus = ApprovalStatus.PENDING
    use_expires_at: float | None = None
    resolved_at: float | None = None
    resolved_by: str | None = None
    feedback: str | None = None
    consumed_at: float | None = None
    outcome: str | None = None
    waits: bool = False


class AnswerKind(enum.StrEnum):
    """What a person may say to a card."""

    ONCE = "once"
    SESSION = "session"
    PATTERN = "pattern"
    EDIT = "edit"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's ruling; ``feedback`` goes back to the model with a denial, ``arguments`` replace
    some of the call's own in an edit."""

    kind: AnswerKind
    feedback: str = field(default="")
    arguments: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What else than a plain yes may be answered: each field is what that answer would cover, or None."""

    session: str | None = None
    pattern: str | None = None


NO_OFFER = Offer()


class Asker(Protocol):
    """Somebody at this very terminal who can rule at once."""

    async def ask(self, approval: Approval, offer: Offer = NO_OFFER) -> Answer:
        """Show the whole card and give the ruling; anything unclear is a denial."""
