"""Reserves money before each model call, settles it after, and adds up what a run has cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from akili_cli.adapters.llm.base import estimate_tokens
from akili_cli.core.agent.settings import AgentSettings
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.budget.model import Reservation
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.domain.calls import Run
from akili_cli.domain.errors import BudgetExceededError
from akili_cli.domain.messages import Completion, Model, ModelRequest, Usage


@dataclass(slots=True)
class Spending:
    """One run's money. ``cost_usd`` is None as soon as a model without a known price was called."""

    model: Model
    ledger: Ledger
    run: Run
    settings: AgentSettings
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = 0.0
    spent_usd: float = field(default=0.0)

    async def reserve(self, request: ModelRequest) -> Reservation:
        """Hold what the call may cost at most; raises ``BudgetExceededError`` for the run's or the user's limit."""
        estimate = self.model.price(Usage(estimate_tokens(request), request.max_tokens))
        cap = self.run.max_cost_usd if self.run.max_cost_usd is not None else self.settings.max_cost_usd
        if cap is not None and estimate is None:
            raise BudgetExceededError(
                f"{self.model.provider}/{self.model.model} has no known price, so a cap of ${cap:g} cannot be kept",
                hint="set providers.<name>.price, or price.free: true",
            )
        if cap is not None and estimate is not None and self.spent_usd + estimate > cap:
            raise BudgetExceededError(
                f"the next model call may cost ${estimate:.4f}; ${self.spent_usd:.4f} of this run's ${cap:g} is spent"
            )
        return await self.ledger.reserve(self.run.principal.user, self.run.id, estimate or 0.0)

    async def release(self, hold: Reservation) -> None:
        """Give back a hold whose call came to nothing."""
        await self.ledger.release(hold)

    async def settle(self, hold: Reservation, done: Completion, run: Run, pipeline: Pipeline) -> None:
        """Book what a call really cost and record it."""
        self.usage = self.usage + done.usage
        if done.cost_usd is None:
            self.cost_usd = None
        elif self.cost_usd is not None:
            self.cost_usd += done.cost_usd
        self.spent_usd += done.cost_usd or 0.0
        await self.ledger.settle(hold, done.cost_usd or 0.0)
        await pipeline.audit.append(_record(run, done))

    async def failed(self, hold: Reservation, run: Run, pipeline: Pipeline, error: str) -> None:
        """Give the money back and record that no provider answered."""
        await self.ledger.release(hold)
        await pipeline.audit.append(
            AuditRecord(
                kind=Kind.MODEL_CALL,
                org=run.principal.org,
                user=run.principal.user,
                source=str(run.principal.source),
                correlation_id=run.correlation_id,
                run_id=run.id,
                conversation_id=run.conversation_id or "",
                tool=f"{self.model.provider}/{self.model.model}",
                result=Result.FAILURE,
                error=error,
            )
        )


def _record(run: Run, done: Completion) -> AuditRecord:
    tried = [{"provider": a.provider, "model": a.model, "error": a.error} for a in done.attempts]
    return AuditRecord(
        kind=Kind.MODEL_CALL,
        org=run.principal.org,
        user=run.principal.user,
        source=str(run.principal.source),
        correlation_id=run.correlation_id,
        run_id=run.id,
        conversation_id=run.conversation_id or "",
        tool=f"{done.provider}/{done.model}",
        parameters={"attempts": tried} if tried else {},
        result=Result.SUCCESS,
        cost_usd=done.cost_usd,
        tokens_used=done.usage.input_tokens + done.usage.output_tokens,
    )
