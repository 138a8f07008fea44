from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from akili_cli.adapters.llm.providers.builtin import BuiltinModel, Report
from akili_cli.domain.errors import NotFoundError
from akili_cli.domain.messages import (
    Completion,
    Message,
    Model,
    ModelRequest,
    TextBlock,
    TextDelta,
    ToolSpec,
    ToolUseBlock,
    Usage,
)


@dataclass(frozen=True)
class Said:
    text: str = "**OK** fine\n\n- a\n"

    def report_dict(self) -> dict[str, object]:
        return {"severity": "ok"}


class OneCall:
    """Asks for one call, then reports."""

    skill = "x"

    def next(
        self, messages: Sequence[Message], tools: frozenset[str] | None = None
    ) -> tuple[ToolUseBlock, ...] | Report:
        assert tools == {"shell_exec"}
        return (ToolUseBlock("rb-x-a", "shell_exec", {"command": "ls"}),) if len(messages) == 1 else Said()


async def one_call(_messages: Sequence[Message]) -> OneCall:
    return OneCall()


def request(*texts: str) -> ModelRequest:
    messages = tuple(Message("user", (TextBlock(text),)) for text in texts)
    return ModelRequest("", messages, tools=(ToolSpec("shell_exec", "", {}),))


async def test_a_tool_call_is_one_completion_without_text() -> None:
    model: Model = BuiltinModel(one_call)
    (done,) = [event async for event in model.stream(request("go"))]
    assert isinstance(done, Completion)
    assert done.stop_reason == "tool_use"
    assert done.message.blocks == (ToolUseBlock("rb-x-a", "shell_exec", {"command": "ls"}),)
    assert (done.provider, done.model, done.cost_usd, done.usage) == ("builtin", "runbooks", 0.0, Usage())
    assert done.report is None


async def test_the_report_is_streamed_as_text_and_ends_with_its_structured_form() -> None:
    events = [event async for event in BuiltinModel(one_call).stream(request("go", "on"))]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == Said.text
    done = events[-1]
    assert isinstance(done, Completion)
    assert (done.stop_reason, done.message.text, done.report) == ("end_turn", Said.text, {"severity": "ok"})


async def test_what_the_factory_refuses_reaches_the_caller() -> None:
    async def refuse(_messages: Sequence[Message]) -> OneCall:
        raise NotFoundError("no runbook")

    with pytest.raises(NotFoundError):
        _ = [event async for event in BuiltinModel(refuse).stream(request("go"))]


async def test_it_costs_nothing_and_closes_quietly() -> None:
    model = BuiltinModel(one_call)
    assert model.price(Usage(5, 5)) == 0.0
    await model.close()
