"""Small builders of model requests and a clock that does not wait, shared by the provider tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from akili_cli.domain.messages import (
    Completion,
    Message,
    Model,
    ModelRequest,
    TextBlock,
    TextDelta,
    ToolResultBlock,
    ToolSpec,
    ToolUseBlock,
)

LOOK = ToolSpec("look", "Look at a path.", {"type": "object", "properties": {"path": {"type": "string"}}})


def ask(text: str = "hello", *, tools: tuple[ToolSpec, ...] = (LOOK,), timeout_s: float = 5.0) -> ModelRequest:
    message = Message("user", (TextBlock(text),))
    return ModelRequest("be brief", (message,), tools, max_tokens=256, timeout_s=timeout_s)


def after_a_tool(call_id: str = "call_1") -> ModelRequest:
    return ModelRequest(
        "be brief",
        (
            Message("user", (TextBlock("hello"),)),
            Message("assistant", (TextBlock("looking"), ToolUseBlock(call_id, "look", {"path": "/"}))),
            Message("user", (ToolResultBlock(call_id, "bin etc"), TextBlock("go on"))),
        ),
        (LOOK,),
        timeout_s=5.0,
    )


async def listen(model: Model, request: ModelRequest) -> tuple[list[str], Completion]:
    """Collect the text pieces and the completion, which must come last and once."""
    events = [event async for event in model.stream(request)]
    pieces = [event.text for event in events if isinstance(event, TextDelta)]
    done = events[-1]
    assert isinstance(done, Completion)
    assert len(pieces) == len(events) - 1
    assert "".join(pieces) == done.message.text
    return pieces, done


def calls(done: Completion) -> list[ToolUseBlock]:
    return [block for block in done.message.blocks if isinstance(block, ToolUseBlock)]


@dataclass
class QuickClock:
    """Sleeps by moving its own hands."""

    at: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
