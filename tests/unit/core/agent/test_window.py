from __future__ import annotations

import pytest

from akili_cli.core.agent.window import fit
from akili_cli.domain.errors import ModelError
from akili_cli.domain.messages import Message, TextBlock, ToolResultBlock, ToolUseBlock


def says(role: str, words: int = 100) -> Message:
    return Message(role, (TextBlock("word " * words),))  # type: ignore[arg-type]


def uses(id_: str = "a") -> tuple[Message, Message]:
    asked = Message("assistant", (ToolUseBlock(id_, "look", {"path": "/x"}),))
    return asked, Message("user", (ToolResultBlock(id_, "word " * 100),))


def test_what_fits_is_left_alone() -> None:
    messages = (says("user"), says("assistant"))
    assert fit(messages, 100_000) is messages


def test_the_oldest_whole_turns_go_first() -> None:
    messages = (says("user"), *uses(), says("assistant"), says("user"), says("assistant"))
    assert fit(messages, 400) == messages[4:]


def test_a_call_is_never_parted_from_its_result() -> None:
    messages = (says("user"), says("assistant"), says("user"), *uses(), *uses("b"))
    kept = fit(messages, 560)
    assert kept == messages[2:]


@pytest.mark.parametrize("budget", [10, 0, -500])
def test_a_last_turn_that_is_too_much_is_refused(budget: int) -> None:
    with pytest.raises(ModelError, match="fit into the model's context") as caught:
        fit((says("user"), says("assistant"), says("user", 1000)), budget)
    assert caught.value.hint
