"""Verdicts, the decision that explains itself, and the permit that carries exactly what was allowed."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk


class Verdict(enum.StrEnum):
    """What a rule or a decision says. A decision is the strongest that matched: deny, ask, allow."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a rule or a setting was written: a file and line, or ``built-in``, ``env``, ``flag``."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        """Give ``file:line``, or the source alone."""
        return self.source if self.line is None else f"{self.source}:{self.line}"


BUILT_IN = Origin("built-in")


@dataclass(frozen=True, slots=True)
class RuleHit:
    """One rule that matched: its id, where it stands, what it said, and why in words."""

    rule_id: str
    origin: Origin
    verdict: Verdict
    because: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The ruling on one call: verdict, effective risk, and every rule that matched, strongest first."""

    verdict: Verdict
    risk: Risk
    hits: tuple[RuleHit, ...]
    risk_reasons: tuple[str, ...] = ()

    @property
    def ruling(self) -> RuleHit:
        """The rule that decided."""
        return self.hits[0]


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to do exactly one call, once. Only ``core/approvals/queue.py`` makes one.

    The sandbox, the file door and the net door demand it and grant nothing that ``effects`` does not name.
    """

    id: str
    digest: str
    tool: str
    user: str
    effects: Effects
    decision: Decision
    expires_at: float
    approved_by: str | None = None
    approval_id: str | None = None
    protected: tuple[str, ...] = field(default=())
    run_id: str = ""
    call_id: str = ""
    audit_id: str = ""
    source: str = ""
