"""What one run came to: the answer, every step, and one status that never hides a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from akili_cli.domain.calls import Status, StepResult
from akili_cli.domain.messages import Attempt, Usage


@dataclass(frozen=True, slots=True)
class RunReport:
    """The result of a run. ``cost_usd`` is None when a model without a known price was called.

    ``forecast_usd`` is what its model calls were expected to cost at most, added up before each of them.
    ``cards`` are the approvals that its steps wait for, whole. ``error`` says why a run failed, ``failure`` is the
    code of the error that ended it, if one did; ``report`` is the structured answer of a runbook, ``plan`` what a plan
    run collected.
    """

    status: Status
    answer: str
    correlation_id: str
    run_id: str
    conversation_id: str | None = None
    steps: tuple[StepResult, ...] = ()
    cards: tuple[Mapping[str, object], ...] = ()
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = 0.0
    forecast_usd: float | None = 0.0
    provider: str = ""
    model: str = ""
    attempts: tuple[Attempt, ...] = ()
    error: str = ""
    report: Mapping[str, object] | None = field(default=None)
    plan: Mapping[str, object] | None = field(default=None)
    failure: str = ""

    @property
    def forecast_error_usd(self) -> float | None:
        """By how much the forecast was above (or, negative, below) the cost; None when either is unknown."""
        if self.forecast_usd is None or self.cost_usd is None:
            return None
        return self.forecast_usd - self.cost_usd

    @property
    def denials(self) -> tuple[StepResult, ...]:
        """The steps that were refused."""
        return tuple(step for step in self.steps if step.status is Status.DENIED)

    def as_dict(self) -> dict[str, object]:
        """Give the object of ``--json``."""
        return {
            "schema": "akili.run/1",
            "status": str(self.status),
            "answer": self.answer,
            "error": self.error or None,
            "denials": [_denial(step) for step in self.denials],
            "approvals": [dict(card) for card in self.cards],
            "steps": [step_dict(step) for step in self.steps],
            "usage": {
                "input_tokens": self.usage.input_tokens,
                "output_tokens": self.usage.output_tokens,
                "forecast_usd": self.forecast_usd,
                "forecast_error_usd": self.forecast_error_usd,
            },
            "cost_usd": self.cost_usd,
            "provider": self.provider,
            "model": self.model,
            "attempts": [{"provider": a.provider, "model": a.model, "error": a.error or None} for a in self.attempts],
            "conversation_id": self.conversation_id,
            "correlation_id": self.correlation_id,
            "run_id": self.run_id,
            "report": self.report,
            "plan": self.plan,
        }


def worst(steps: tuple[StepResult, ...], ended: Status) -> Status:
    """Fold a run's end and its steps into one status: what was refused is never hidden by an answer.

    A step that failed or was invalid does not fail the run: the model may have dealt with it.
    """
    if ended in (Status.INTERRUPTED, Status.TIMEOUT):
        return ended
    met = {step.status for step in steps} | {ended}
    for status in (Status.APPROVAL_REQUIRED, Status.BUDGET_EXCEEDED, Status.DENIED):
        if status in met:
            return status
    return ended


def step_dict(step: StepResult) -> dict[str, object]:
    """Give one step as it stands in ``--json`` and in ``tool.result`` events."""
    decision = step.decision
    return {
        "call_id": step.call.id,
        "tool": step.call.name,
        "arguments": dict(step.call.arguments),
        "status": str(step.status),
        "verdict": str(decision.verdict) if decision else None,
        "risk": str(decision.risk) if decision else None,
        "rule": decision.ruling.rule_id if decision else None,
        "exit_code": step.metadata.get("exit_code"),
        "duration_s": round(step.duration_s, 4),
        "cost_usd": step.cost_usd,
        "cached": step.cached,
        "layers": list(step.layers),
        "audit_id": step.audit_id,
    }


def _denial(step: StepResult) -> dict[str, object]:
    ruling = step.decision.ruling if step.decision else None
    return {
        "tool": step.call.name,
        "arguments": dict(step.call.arguments),
        "rule": ruling.rule_id if ruling else None,
        "origin": str(ruling.origin) if ruling else None,
        "because": step.text,
        "audit_id": step.audit_id,
    }
