"""A model that plays a list of replies without any network: texts to say, then an end or an error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from akili_cli.domain.errors import ModelError
from akili_cli.domain.messages import (
    Completion,
    Message,
    ModelEvent,
    ModelRequest,
    TextBlock,
    TextDelta,
    Usage,
)


class SayingModel:
    """Says its texts, then completes, or raises ``error``."""

    def __init__(
        self, provider: str, texts: Sequence[str] = ("hi",), *, error: Exception | None = None, cost: float | None = 0.0
    ) -> None:
        self.provider = provider
        self.model = "m"
        self.asked = 0
        self.closed = 0
        self._texts = tuple(texts)
        self._error = error
        self._cost = cost

    def price(self, usage: Usage) -> float | None:
        return self._cost

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.asked += 1
        for text in self._texts:
            yield TextDelta(text)
        if self._error is not None:
            raise self._error
        message = Message("assistant", (TextBlock("".join(self._texts)),))
        yield Completion(message, Usage(1, 1), "end_turn", self.provider, self.model, self._cost)

    async def close(self) -> None:
        self.closed += 1


def down(text: str = "down") -> ModelError:
    return ModelError(text, retryable=True)
