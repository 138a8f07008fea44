"""Reserves money before each model call, settles it after, and adds up what a run has cost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from akili_cli.adapters.llm.base import ProviderError, estimate_tokens
from akili_cli.adapters.llm.fallback import FallbackModel, NoModelAnsweredError
from akili_cli.core.agent.settings import AgentSettings
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.budget.model import Reservation
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.core.execution.recording import who
from akili_cli.domain.calls import Run
from akili_cli.domain.errors import BudgetExceededError, ModelError
from akili_cli.domain.events import Emit, Event
from akili_cli.domain.messages import Attempt, Completion, Model, ModelRequest, Usage

BUILTIN = "builtin"
HOLD_S = 600.0
CHARS_PER_TOKEN = 4


@dataclass(slots=True)
class Spending:
    """One run's money. ``cost_usd`` is None as soon as a model without a known price was called.

    ``forecast_usd`` adds up what the calls were expected to cost at most.
    """

    model: Model
    ledger: Ledger
    run: Run
    settings: AgentSettings
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = 0.0
    spent_usd: float = field(default=0.0)
    forecast_usd: float | None = 0.0
    calls: int = 0

    @property
    def cap_usd(self) -> float | None:
        """The run's own limit, from the command line or else from the settings."""
        return self.run.max_cost_usd if self.run.max_cost_usd is not None else self.settings.max_cost_usd

    async def begin(self) -> None:
        """Make the run known to the budget, so that what it starts can share its limits."""
        run = self.run
        await self.ledger.begin(run.principal.user, run.id, parent_id=run.parent_id, run_limit_usd=self.cap_usd)

    async def reserve(self, request: ModelRequest) -> Reservation:
        """Hold what the call may cost at most, in USD and tokens, at every level of the budget.

        Raises ``BudgetExceededError`` when a level does not cover it, and for a model without a price where somebody
        set a limit in USD, which could not be kept. Where nobody did, it is allowed and its cost stays unknown.
        """
        expected = Usage(estimate_tokens(request), request.max_tokens)
        priced = self.model.price(expected)
        cap = self.cap_usd
        if priced is None and (cap is not None or self.ledger.is_capped(self.run.principal.user)):
            raise self._unpriced(expected)
        estimate = priced or 0.0
        if cap is not None and self.spent_usd + estimate > cap:
            raise BudgetExceededError(
                f"the next model call may cost ${estimate:.4f}; ${self.spent_usd:.4f} of this run's ${cap:g} is spent"
            )
        hold = await self.ledger.reserve(
            self.run.principal.user,
            self.run.id,
            estimate,
            tokens=0 if self.model.provider == BUILTIN else expected.input_tokens + expected.output_tokens,
            parent_id=self.run.parent_id,
            run_limit_usd=cap,
            ttl_s=max(HOLD_S, 2 * request.timeout_s),
        )
        self.calls += 1
        self.forecast_usd = None if self.forecast_usd is None or priced is None else self.forecast_usd + estimate
        return hold

    def _unpriced(self, expected: Usage) -> BudgetExceededError:
        models = self.model.models if isinstance(self.model, FallbackModel) else (self.model,)
        unknown = next((model for model in models if model.price(expected) is None), self.model)
        return BudgetExceededError(
            f"{unknown.provider}/{unknown.model} has no known price, so no limit in USD could be kept",
            hint="add its price to the configuration:\n"
            f"providers:\n  {unknown.provider}:\n    price:\n"
            "      input_usd_per_million: 1.00   # what the provider charges\n"
            "      output_usd_per_million: 4.00\n"
            "or, when calls cost nothing:\n"
            f"providers:\n  {unknown.provider}:\n    price: {{free: true}}",
        )

    def announce(self, emit: Emit) -> None:
        """Say what the first call may cost, when the run has a limit of its own, or that its cost is not known."""
        cap = self.run.max_cost_usd
        if self.calls == 1 and self.forecast_usd is None:
            name = f"{self.model.provider}/{self.model.model}"
            emit(Event("notice", {"text": f"{name} has no known price: its cost is not counted (providers.*.price)"}))
        if self.calls == 1 and cap is not None and self.forecast_usd is not None:
            text = f"the first model call may cost up to ${self.forecast_usd:.4f} of this run's ${cap:g}"
            emit(Event("notice", {"text": text, "forecast_usd": self.forecast_usd, "max_cost_usd": cap}))

    async def cut_off(
        self,
        hold: Reservation,
        request: ModelRequest,
        heard_chars: int,
        pipeline: Pipeline,
        *,
        duration_s: float = 0.0,
        error: ModelError | None = None,
    ) -> None:
        """Book and record a call that broke off, by an error or because nobody waits any more.

        What was asked and heard was paid for; without a word it cost nothing.
        """
        result = Result.INTERRUPTED if error is None else Result.FAILURE
        record = replace(self._record(result, _attempts(error), duration_s), error="" if error is None else str(error))
        if not heard_chars:
            await self.ledger.release(hold)
            await pipeline.audit.append(record)
            return
        used = Usage(estimate_tokens(request), heard_chars // CHARS_PER_TOKEN + 1)
        cost = self.model.price(used) or 0.0
        self.usage = self.usage + used
        self.cost_usd = None if self.cost_usd is None else self.cost_usd + cost
        self.spent_usd += cost
        await self.ledger.settle(hold, cost, used.input_tokens + used.output_tokens)
        await pipeline.audit.append(_with_usage(record, used, cost))

    async def refused(self, pipeline: Pipeline, error: BudgetExceededError) -> None:
        """Record that the budget did not cover the next call."""
        await pipeline.audit.append(replace(self._record(Result.BUDGET_EXCEEDED, (), None), error=str(error)))

    def read_back(self, done: Completion) -> None:
        """Count an answer that an earlier attempt at the run has paid for."""
        self.calls += 1
        self._count(done)

    async def settle(self, hold: Reservation, done: Completion, pipeline: Pipeline, *, duration_s: float = 0.0) -> None:
        """Book what a call really cost and record it."""
        self._count(done)
        await self.ledger.settle(hold, done.cost_usd or 0.0, done.usage.input_tokens + done.usage.output_tokens)
        record = self._record(Result.SUCCESS, done.attempts, duration_s)
        record = replace(record, tool=f"{done.provider}/{done.model}")
        facts = {**record.facts, "provider": done.provider, "model": done.model}
        await pipeline.audit.append(_with_usage(replace(record, facts=facts), done.usage, done.cost_usd))

    def _count(self, done: Completion) -> None:
        self.usage = self.usage + done.usage
        if done.cost_usd is None:
            self.cost_usd = None
        elif self.cost_usd is not None:
            self.cost_usd += done.cost_usd
        self.spent_usd += done.cost_usd or 0.0

    def _record(self, result: Result, attempts: tuple[Attempt, ...], duration_s: float | None) -> AuditRecord:
        tried = [_tried(attempt) for attempt in attempts]
        return AuditRecord(
            kind=Kind.MODEL_CALL,
            **who(self.run),
            tool=f"{self.model.provider}/{self.model.model}",
            parameters={"attempts": tried} if tried else {},
            result=result,
            duration_s=None if duration_s is None else round(duration_s, 6),
            facts={"provider": self.model.provider, "model": self.model.model},
        )


def _with_usage(record: AuditRecord, used: Usage, cost_usd: float | None) -> AuditRecord:
    tokens = {"input_tokens": used.input_tokens, "output_tokens": used.output_tokens}
    return replace(
        record, facts={**record.facts, **tokens}, cost_usd=cost_usd, tokens_used=used.input_tokens + used.output_tokens
    )


def _attempts(error: ModelError | None) -> tuple[Attempt, ...]:
    return error.attempts if isinstance(error, ProviderError | NoModelAnsweredError) else ()


def _tried(attempt: Attempt) -> dict[str, object]:
    tried: dict[str, object] = {"provider": attempt.provider, "model": attempt.model, "error": attempt.error}
    return tried | ({"duration_s": round(attempt.duration_s, 6)} if attempt.duration_s else {})
