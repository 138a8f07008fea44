"""The provider that needs no key and no network: it plays runbooks through the same loop as any model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from akili_cli.domain.messages import (
    Completion,
    Message,
    ModelEvent,
    ModelRequest,
    TextBlock,
    TextDelta,
    ToolUseBlock,
    Usage,
)

PROVIDER = "builtin"
MODEL = "runbooks"


@runtime_checkable
class Report(Protocol):
    """The end of a play."""

    @property
    def text(self) -> str:
        """The report as Markdown."""

    def report_dict(self) -> dict[str, object]:
        """Give the JSON-ready form."""


class RunbookPlayer(Protocol):
    """Something that knows the next tool calls from the conversation alone; ``skill`` names what it plays."""

    @property
    def skill(self) -> str | None:
        """The runbook that rules on skills look at; None when nothing is played."""

    def next(
        self, messages: Sequence[Message], tools: frozenset[str] | None = None
    ) -> tuple[ToolUseBlock, ...] | Report:
        """Give the calls to make now, or the report."""


PlayerFactory = Callable[[Sequence[Message]], Awaitable[RunbookPlayer]]


class BuiltinModel:
    """Answers with tool calls from a runbook, then with its report; costs nothing."""

    provider = PROVIDER
    model = MODEL

    def __init__(self, player_factory: PlayerFactory) -> None:
        """Keep what gives the player for a conversation."""
        self._player_factory = player_factory

    def price(self, usage: Usage) -> float | None:  # noqa: ARG002 - the port's signature
        """Give 0.0: no model is paid for."""
        return 0.0

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield the report's lines as text, if it is time for it, and one ``Completion`` last."""
        player = await self._player_factory(request.messages)
        answer = player.next(request.messages, frozenset(tool.name for tool in request.tools))
        if isinstance(answer, tuple):
            yield _completion(Message("assistant", answer), skill=player.skill)
            return
        for line in answer.text.splitlines(keepends=True):
            yield TextDelta(line)
        yield _completion(Message("assistant", (TextBlock(answer.text),)), answer.report_dict())

    async def close(self) -> None:
        """Release nothing."""


def _completion(
    message: Message, report: Mapping[str, object] | None = None, *, skill: str | None = None
) -> Completion:
    return Completion(
        message=message,
        usage=Usage(),
        stop_reason="end_turn" if report is not None else "tool_use",
        provider=PROVIDER,
        model=MODEL,
        cost_usd=0.0,
        report=report,
        skill=skill,
    )
