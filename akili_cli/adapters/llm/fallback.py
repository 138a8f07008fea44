"""Several models in order: the next one answers when one cannot."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from akili_cli.adapters.llm.base import Fault, ProviderError
from akili_cli.domain.errors import ModelError
from akili_cli.domain.messages import Attempt, Completion, Model, ModelEvent, ModelRequest, TextDelta, Usage


class NoModelAnsweredError(ModelError):
    """Every model of the chain failed; ``attempts`` lists the tries."""

    def __init__(self, failures: Sequence[ModelError], attempts: tuple[Attempt, ...]) -> None:
        """Say what each model said."""
        self.attempts = attempts
        super().__init__(
            f"no model answered: {'; '.join(map(str, failures))}",
            hint="; ".join(dict.fromkeys(error.hint for error in failures if error.hint)),
            retryable=any(error.retryable for error in failures),
        )


class FallbackModel:
    """Asks the first model and, when that one is down, busy or locks us out, the next.

    A request that the provider finds wrong (bad request, context overflow) is wrong for all and is not passed
    on; nor is one whose text was already seen, nor a cancelled one. ``Completion.attempts`` and the
    ``attempts`` of the error list every try.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        """Keep the models in the order to ask them; at least one."""
        if not models:
            raise ValueError("a fallback needs at least one model")
        self._models = tuple(models)

    @property
    def models(self) -> tuple[Model, ...]:
        """The models in the order they are asked."""
        return self._models

    @property
    def provider(self) -> str:
        """The first provider's name."""
        return self._models[0].provider

    @property
    def model(self) -> str:
        """The first model's name."""
        return self._models[0].model

    def price(self, usage: Usage) -> float | None:
        """Give the highest cost any of the models may cause; None when one of them is unpriced."""
        costs = [model.price(usage) for model in self._models]
        known = [cost for cost in costs if cost is not None]
        return max(known) if len(known) == len(costs) else None

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield text as it arrives and one ``Completion`` last; raises ``ModelError``."""
        failures: list[ModelError] = []
        attempts: tuple[Attempt, ...] = ()
        for model in self._models:
            seen = False
            try:
                async with _closing(model.stream(request)) as events:
                    async for event in events:
                        seen = seen or isinstance(event, TextDelta)
                        yield _after(attempts, event) if isinstance(event, Completion) else event
            except ModelError as error:
                attempts += _attempts(error, model)
                if isinstance(error, ProviderError):
                    error.attempts = attempts
                failures.append(error)
                if seen or not may_fall_back(error):
                    raise
            else:
                return
        if len(failures) == 1:
            raise failures[0]
        raise NoModelAnsweredError(failures, attempts) from failures[-1]

    async def close(self) -> None:
        """Release the connections of every model."""
        for model in self._models:
            await model.close()


def may_fall_back(error: ModelError) -> bool:
    """Tell whether another provider may do better: yes, unless the request itself was refused."""
    return error.fault is not Fault.REQUEST if isinstance(error, ProviderError) else error.retryable


def _after(earlier: tuple[Attempt, ...], done: Completion) -> Completion:
    own = done.attempts or (Attempt(done.provider, done.model),)
    return replace(done, attempts=earlier + own)


def _attempts(error: ModelError, model: Model) -> tuple[Attempt, ...]:
    own = error.attempts if isinstance(error, ProviderError) else ()
    return own or (Attempt(model.provider, model.model, str(error)),)


@asynccontextmanager
async def _closing(events: AsyncIterator[ModelEvent]) -> AsyncIterator[AsyncIterator[ModelEvent]]:
    """Close a provider's stream as soon as its reader leaves."""
    try:
        yield events
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
