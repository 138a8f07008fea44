"""A model that plays a list of replies without any network: texts to say, then an end or an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from akili_cli.domain.errors import ModelError
from akili_cli.domain.messages import (
    Completion,
    Message,
    ModelEvent,
    ModelRequest,
    StopReason,
    TextBlock,
    TextDelta,
    ToolUseBlock,
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


def use(name: str = "look", path: object = "/srv/x", *, id: str = "call-1", raw: str = "") -> ToolUseBlock:  # noqa: A002 - its name
    return ToolUseBlock(id, name, {"path": path}, raw)


def unread(raw: str, *, id: str = "call-1") -> ToolUseBlock:  # noqa: A002 - its name
    return ToolUseBlock(id, "look", None, raw)


class ScriptedModel:
    """Plays its turns in order, the last one for ever; a turn is a text, tool uses, both, or an error to raise.

    ``gate`` makes the model wait until it is set, for ever if nobody does.
    """

    def __init__(
        self,
        *turns: str | ToolUseBlock | tuple[str | ToolUseBlock, ...] | Exception,
        price: float | None = 0.0,
        stop: StopReason | None = None,
        usage: Usage = Usage(10, 5),
        gate: asyncio.Event | None = None,
    ) -> None:
        self.provider = "scripted"
        self.model = "m1"
        self.requests: list[ModelRequest] = []
        self._turns = turns
        self._price = price
        self._stop = stop
        self._usage = usage
        self._gate = gate

    def price(self, usage: Usage) -> float | None:
        return self._price

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.requests.append(request)
        if self._gate is not None:
            await self._gate.wait()
        turn = self._turns[min(len(self.requests), len(self._turns)) - 1]
        if isinstance(turn, Exception):
            raise turn
        parts = turn if isinstance(turn, tuple) else (turn,)
        blocks = tuple(TextBlock(part) if isinstance(part, str) else part for part in parts)
        for block in blocks:
            if isinstance(block, TextBlock) and block.text:
                yield TextDelta(block.text)
        calls = any(isinstance(block, ToolUseBlock) for block in blocks)
        stop = self._stop or ("tool_use" if calls else "end_turn")
        yield Completion(Message("assistant", blocks), self._usage, stop, self.provider, self.model, self._price)

    async def close(self) -> None:
        pass
