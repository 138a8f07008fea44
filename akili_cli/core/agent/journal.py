"""What a run remembers of itself: nothing beside memory, or each finished step, to be read back after a crash."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, cast

from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.agent.history import parse_blocks, render_blocks
from akili_cli.domain.calls import Run, Status, StepResult, ToolCall
from akili_cli.domain.decisions import Decision, Origin, RuleHit, Verdict
from akili_cli.domain.errors import BudgetExceededError, ModelError
from akili_cli.domain.messages import Attempt, Completion, Message, Usage
from akili_cli.domain.risk import parse_risk

Ask = Callable[[], Awaitable[Completion]]
Play = Callable[[Run], Awaitable[StepResult]]
Load = Callable[[], Awaitable[tuple[Message, ...]]]


class Journal(Protocol):
    """How the loop does what must not be done again after a crash. Names are the same in every attempt."""

    async def completion(self, name: str, ask: Ask) -> tuple[Completion, bool]:
        """Ask the model, or give the answer of an earlier attempt (True: it was asked now)."""

    async def call(self, name: str, run: Run, play: Play) -> StepResult:
        """Play a call, or give what an earlier attempt came to."""

    async def earlier(self, load: Load) -> tuple[Message, ...]:
        """Load what was said before this run, or give what an earlier attempt loaded."""

    @property
    def waits(self) -> bool:
        """Whether the run outlives its process, so that a call that is held for a human is waited for."""

    @property
    def goes_on(self) -> bool:
        """Whether a run that is cancelled now is entered again; False when somebody wants it to end."""


class NoJournal:
    """A run that ends with its process."""

    waits = False
    goes_on = False

    async def earlier(self, load: Load) -> tuple[Message, ...]:
        """Load."""
        return await load()

    async def completion(self, _name: str, ask: Ask) -> tuple[Completion, bool]:
        """Ask."""
        return await ask(), True

    async def call(self, _name: str, run: Run, play: Play) -> StepResult:
        """Play."""
        return await play(run)


@dataclass(frozen=True, slots=True)
class KeptJournal:
    """A run whose steps an engine keeps. Secrets in what was said are sealed there.

    ``is_stopped`` tells whether somebody wants the run to end, rather than its process.
    """

    steps: Steps
    redactor: Redactor
    is_stopped: Callable[[], bool] = lambda: False

    async def earlier(self, load: Load) -> tuple[Message, ...]:
        """Load once, so that every attempt goes on from the same words."""

        async def act() -> object:
            return self.redactor.seal([{"role": one.role, "blocks": render_blocks(one.blocks)} for one in await load()])

        kept = cast("list[Mapping[str, Any]]", self.redactor.unseal(await self.steps.step("earlier", act)))
        return tuple(Message(one["role"], parse_blocks(one["blocks"])) for one in kept)

    @property
    def waits(self) -> bool:
        """Held calls are waited for."""
        return True

    @property
    def goes_on(self) -> bool:
        """It is entered again unless somebody stopped it."""
        return not self.is_stopped()

    async def completion(self, name: str, ask: Ask) -> tuple[Completion, bool]:
        """Ask once; a provider's or the budget's refusal is kept, too."""
        fresh: list[Completion] = []

        async def act() -> object:
            try:
                done = await ask()
            except (ModelError, BudgetExceededError) as error:
                return {"error": error.code, "message": str(error), "hint": error.hint, "retryable": error.retryable}
            fresh.append(done)
            return self.redactor.seal(completion_as_dict(done))

        kept = cast("Mapping[str, Any]", await self.steps.step(name, act))
        if "error" in kept:
            kind = ModelError if kept["error"] == ModelError.code else BudgetExceededError
            raise kind(kept["message"], hint=kept["hint"], retryable=kept["retryable"])
        if fresh:
            return fresh[0], True
        return parse_completion(cast("Mapping[str, Any]", self.redactor.unseal(dict(kept)))), False

    async def call(self, name: str, run: Run, play: Play) -> StepResult:
        """Play once, begun at most once if it changes anything."""

        async def act() -> object:
            return step_as_dict(await play(replace(run, once=name)))

        return parse_step(cast("Mapping[str, Any]", await self.steps.step(name, act)))


def completion_as_dict(done: Completion) -> dict[str, Any]:
    """Give the JSON form of a model's answer."""
    return {
        "role": done.message.role,
        "blocks": render_blocks(done.message.blocks),
        "usage": asdict(done.usage),
        "stop_reason": done.stop_reason,
        "provider": done.provider,
        "model": done.model,
        "cost_usd": done.cost_usd,
        "attempts": [asdict(attempt) for attempt in done.attempts],
        "report": _plain(done.report),
        "skill": done.skill,
    }


def parse_completion(kept: Mapping[str, Any]) -> Completion:
    """Give back what ``completion_as_dict`` was given."""
    return Completion(
        message=Message(kept["role"], parse_blocks(kept["blocks"])),
        usage=Usage(**kept["usage"]),
        stop_reason=kept["stop_reason"],
        provider=kept["provider"],
        model=kept["model"],
        cost_usd=kept["cost_usd"],
        attempts=tuple(Attempt(**attempt) for attempt in kept["attempts"]),
        report=kept["report"],
        skill=kept["skill"],
    )


def step_as_dict(step: StepResult) -> dict[str, Any]:
    """Give the JSON form of a call's result."""
    return {
        "call": {"id": step.call.id, "name": step.call.name, "arguments": _plain(dict(step.call.arguments))},
        "status": str(step.status),
        "text": step.text,
        "audit_id": step.audit_id,
        "decision": None if step.decision is None else _decision_as_dict(step.decision),
        "approval_id": step.approval_id,
        "metadata": _plain(dict(step.metadata)),
        "duration_s": step.duration_s,
        "cost_usd": step.cost_usd,
        "cached": step.cached,
        "untrusted": step.untrusted,
        "layers": list(step.layers),
    }


def parse_step(kept: Mapping[str, Any]) -> StepResult:
    """Give back what ``step_as_dict`` was given."""
    rest = {key: value for key, value in kept.items() if key not in ("call", "status", "decision", "layers")}
    return StepResult(
        call=ToolCall(**kept["call"]),
        status=Status(kept["status"]),
        decision=None if kept["decision"] is None else _decision(kept["decision"]),
        layers=tuple(kept["layers"]),
        **rest,
    )


def _decision_as_dict(decision: Decision) -> dict[str, Any]:
    return {
        "verdict": str(decision.verdict),
        "risk": str(decision.risk),
        "reasons": list(decision.risk_reasons),
        "hits": [
            [hit.rule_id, hit.origin.source, hit.origin.line, str(hit.verdict), hit.because] for hit in decision.hits
        ],
    }


def _decision(kept: Mapping[str, Any]) -> Decision:
    hits = tuple(
        RuleHit(rule_id, Origin(source, line), Verdict(verdict), because)
        for rule_id, source, line, verdict, because in kept["hits"]
    )
    return Decision(Verdict(kept["verdict"]), parse_risk(kept["risk"]), hits, tuple(kept["reasons"]))


def _plain(value: object) -> Any:  # noqa: ANN401  # any JSON
    return json.loads(json.dumps(value, default=str))
