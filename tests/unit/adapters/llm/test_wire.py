from __future__ import annotations

import json

import pytest

from akili_cli.adapters.llm.wire import encode_messages, encode_tools, tool_ids, valid_text
from akili_cli.domain.messages import Message, ModelRequest, TextBlock, ToolResultBlock, ToolUseBlock
from tests.fakes.chat import LOOK, after_a_tool
from tests.fakes.model_server import shape_problems


def encoded(*messages: Message, system: str = "") -> list[dict[str, object]]:
    return encode_messages(ModelRequest(system, messages))


def test_conversation_with_tools_is_well_formed() -> None:
    request = after_a_tool()
    body = {"model": "m", "messages": encode_messages(request), "tools": encode_tools(request.tools)}
    assert shape_problems(body) == []


def test_system_comes_first_and_is_left_out_when_empty() -> None:
    hello = Message("user", (TextBlock("hello"),))
    assert encoded(hello, system="be brief")[0] == {"role": "system", "content": "be brief"}
    assert encoded(hello) == [{"role": "user", "content": "hello"}]


def test_tool_results_come_before_the_text_of_their_turn() -> None:
    turn = Message("user", (TextBlock("go on"), ToolResultBlock("1", ""), ToolResultBlock("2", "no", is_error=True)))
    assert encoded(turn) == [
        {"role": "tool", "tool_call_id": "1", "content": "(no output)"},
        {"role": "tool", "tool_call_id": "2", "content": "[error] no"},
        {"role": "user", "content": "go on"},
    ]


def test_turns_without_content_are_left_out() -> None:
    assert encoded(Message("assistant", ()), Message("user", (TextBlock(""),))) == []


def test_malformed_call_goes_back_as_a_legal_one() -> None:
    call = ToolUseBlock("1", "rm -rf/\u202e", None, '{"path": ')
    (message,) = encoded(Message("assistant", (call,)))
    function = message["tool_calls"][0]["function"]  # type: ignore[index]
    assert json.loads(function["arguments"]) == {"malformed_arguments": '{"path": '}
    assert function["name"] == "rm_-rf__"


@pytest.mark.parametrize("name", ["", "x" * 500, "näme", "a b"])
def test_name_of_a_call_is_always_legal(name: str) -> None:
    messages = encoded(
        Message("assistant", (ToolUseBlock("1", name, {}),)), Message("user", (ToolResultBlock("1", "ok"),))
    )
    assert shape_problems({"model": "m", "messages": messages}) == []


def test_tools_become_functions() -> None:
    assert encode_tools((LOOK,))[0]["function"] == {
        "name": "look",
        "description": "Look at a path.",
        "parameters": dict(LOOK.schema),
    }


def test_ids_of_the_conversation_are_known() -> None:
    assert tool_ids(after_a_tool("abc")) == {"abc"}


def test_untrusted_text_is_fenced_beside_trusted_text() -> None:
    (message,) = encoded(Message("user", (TextBlock("explain"), TextBlock("log line", untrusted="stdin"))))
    assert message["content"] == 'explain\n\n<untrusted source="stdin">\nlog line\n</untrusted>'


def test_surrogate_halves_become_replacement_characters() -> None:
    assert valid_text("a\ud83d\ude00b\ud83dc") == "a\U0001f600b\ufffdc"
    assert valid_text("plain") == "plain"
