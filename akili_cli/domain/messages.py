"""What is said between person, model and tools, in the words every provider is translated to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["user", "assistant"]
StopReason = Literal["end_turn", "tool_use", "max_tokens"]


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Plain text. ``untrusted`` labels text from outside (``stdin``); it is then fenced for the model."""

    text: str
    untrusted: str | None = None


@dataclass(frozen=True, slots=True)
class ToolUseBlock:
    """The model asks for a tool. ``arguments`` is None when ``raw`` was not a JSON object."""

    id: str
    name: str
    arguments: Mapping[str, object] | None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class ToolResultBlock:
    """What a tool call gave, as the model reads it; always answers one ``ToolUseBlock``.

    ``untrusted`` labels text from outside (``file /etc/motd``); it is then fenced for the model.
    """

    tool_use_id: str
    text: str
    is_error: bool = False
    untrusted: str | None = None


Block = TextBlock | ToolUseBlock | ToolResultBlock


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. Tool results travel in a user message, as the model APIs demand."""

    role: Role
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        """All plain text of the turn, joined."""
        return "".join(block.text for block in self.blocks if isinstance(block, TextBlock))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it: ``schema`` is JSON Schema of an object."""

    name: str
    description: str
    schema: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more model calls."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Add two usages."""
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call to a model. ``timeout_s`` bounds the wait for each chunk, not the whole answer."""

    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = 4096
    timeout_s: float = 120.0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer, as it arrives."""

    text: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one provider, for the record: ``error`` is empty when it worked."""

    provider: str
    model: str
    error: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of one model call: always the last event of a stream.

    ``cost_usd`` is None when no price is known ("unpriced"), which is not the same as 0.0 ("free").
    ``report`` is a structured answer where the provider has one (the built-in runbook player), and ``skill``
    the runbook it is playing.
    """

    message: Message
    usage: Usage
    stop_reason: StopReason
    provider: str
    model: str
    cost_usd: float | None
    attempts: tuple[Attempt, ...] = ()
    report: Mapping[str, object] | None = field(default=None)
    skill: str | None = None


ModelEvent = TextDelta | Completion


class Model(Protocol):
    """A provider bound to one model name."""

    @property
    def provider(self) -> str:
        """The provider's config name."""

    @property
    def model(self) -> str:
        """The model's name."""

    def price(self, usage: Usage) -> float | None:
        """Give the cost in USD of a usage, or None when unpriced."""

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield text as it arrives and one ``Completion`` last; raises ``ModelError``."""

    async def close(self) -> None:
        """Release connections."""
