from __future__ import annotations

import json
import time
from collections.abc import Mapping

import pytest

from akili_cli.adapters.llm.base import ContextOverflowError, Fault, Peer, ProviderError
from akili_cli.adapters.llm.chunks import MAX_CALLS, Assembly, chunk_error, parse_arguments
from akili_cli.domain.messages import TextBlock, ToolUseBlock, Usage

PEER = Peer("p", "m")


def text(content: object, finish: str | None = None) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


def call(**fields: object) -> dict[str, object]:
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {"choices": [{"delta": {"tool_calls": [{**fields, "function": function}]}}]}


def assembled(*chunks: object, taken: frozenset[str] = frozenset(), finish: str = "stop") -> Assembly:
    assembly = Assembly(PEER, set(taken))
    for chunk in (*chunks, text(None, finish)):
        assembly.feed(chunk)
    assembly.close(ended=True)
    return assembly


def calls(assembly: Assembly) -> list[tuple[str, Mapping[str, object] | None]]:
    blocks = [block for block in assembly.message.blocks if isinstance(block, ToolUseBlock)]
    assert len({block.id for block in blocks}) == len(blocks)
    return [(block.name, block.arguments) for block in blocks]


def test_text_is_given_as_it_comes() -> None:
    assembly = Assembly(PEER, set())
    assert [assembly.feed(text(piece)) for piece in ("a", None, "", "b")] == ["a", "", "", "b"]
    assert assembly.message.blocks == (TextBlock("ab"),)


def test_text_parts_and_refusals_are_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, 7]
    assembly = assembled(text(parts), {"choices": [{"delta": {"refusal": "no"}}]})
    assert assembly.message.text == "ano"


def test_whole_message_is_read_like_a_chunk() -> None:
    message = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "a", "arguments": "{}"}}]}
    assembly = assembled({"choices": [{"message": message, "finish_reason": "tool_calls"}]})
    assert calls(assembly) == [("a", {})]


def test_surrogate_pair_split_over_chunks_is_joined() -> None:
    assembly = Assembly(PEER, set())
    assert [assembly.feed(text("a\ud83d")), assembly.feed(text("\ude00b"))] == ["a", "\U0001f600b"]
    assert assembly.feed(text("\ud83d")) == ""
    assert assembly.close(ended=True) == "\ufffd"


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param(
            [
                {"index": 0, "id": "1", "name": "a", "arguments": ""},
                {"index": 1, "id": "2", "name": "b", "arguments": ""},
                {"index": 1, "arguments": '{"n":'},
                {"index": 0, "arguments": '{"n":1}'},
                {"index": 1, "arguments": "2}"},
            ],
            id="interleaved",
        ),
        pytest.param(
            [
                {"index": 0, "id": "1", "name": "a", "arguments": '{"n":1}'},
                {"index": 0, "id": "2", "name": "b", "arguments": '{"n":2}'},
            ],
            id="one index, two ids",
        ),
        pytest.param(
            [{"index": 0, "name": "a", "arguments": '{"n":1}'}, {"index": 0, "name": "b", "arguments": '{"n":2}'}],
            id="one index, no ids",
        ),
        pytest.param(
            [
                {"name": "a", "arguments": ""},
                {"arguments": '{"n":1}'},
                {"name": "b", "arguments": ""},
                {"arguments": '{"n":2}'},
            ],
            id="no index, no ids",
        ),
        pytest.param(
            [
                {"id": "x", "name": "a", "arguments": '{"n":1}'},
                {"id": "x", "name": "b", "arguments": '{"n":2}'},
            ],
            id="no index, one id",
        ),
        pytest.param(
            [
                {"index": 0, "id": "x", "name": "a", "arguments": '{"n":1}'},
                {"index": 1, "id": "x", "name": "b", "arguments": '{"n":2}'},
            ],
            id="two indexes, one id",
        ),
        pytest.param(
            [
                {"id": "1", "name": "a", "arguments": '{"n"'},
                {"id": "2", "name": "b", "arguments": '{"n"'},
                {"id": "1", "arguments": ":1}"},
                {"id": "2", "arguments": ":2}"},
            ],
            id="no index, interleaved by id",
        ),
        pytest.param(
            [
                {"index": 0, "id": "1", "name": "a", "arguments": '{"n":'},
                {"index": 0, "id": "1", "name": "a", "arguments": "1}"},
                {"index": 0, "id": "1", "name": "a", "arguments": ""},
                {"index": "1", "id": "2", "name": "b", "arguments": {"n": 2}},
            ],
            id="name and id repeated, arguments as an object",
        ),
    ],
)
def test_calls_are_told_apart(fragments: list[dict[str, object]]) -> None:
    assembly = assembled(*(call(**dict(fragment)) for fragment in fragments))
    assert calls(assembly) == [("a", {"n": 1}), ("b", {"n": 2})]
    assert assembly.stop_reason == "tool_use"


def test_same_tool_twice_in_one_place_never_merges_into_a_legal_call() -> None:
    fragments = [
        {"name": "a", "arguments": ""},
        {"arguments": '{"n":1}'},
        {"name": "a", "arguments": ""},
        {"arguments": '{"n":2}'},
    ]
    assert calls(assembled(*(call(**dict(fragment)) for fragment in fragments))) == [("a", None)]


@pytest.mark.parametrize("bad", ["", "call_1", "a b", "x" * 9000, "\x1b", None, 7])
def test_ids_that_cannot_be_used_are_replaced(bad: object) -> None:
    assembly = assembled(call(index=0, id=bad, name="a", arguments="{}"), taken=frozenset({"call_1"}))
    (block,) = assembly.message.blocks
    assert isinstance(block, ToolUseBlock)
    assert block.id.startswith("call_")
    assert block.id != "call_1"


def test_calls_cut_off_before_their_arguments_have_none() -> None:
    assert calls(assembled(call(index=0, id="1", name="rm", arguments=""), finish="length")) == [("rm", None)]


def test_call_without_arguments_has_empty_ones() -> None:
    assert calls(assembled(call(index=0, id="1", name="now", arguments=""))) == [("now", {})]


@pytest.mark.parametrize(
    "raw",
    [
        "{",
        "[]",
        "null",
        "1",
        '"{}"',
        "{} {}",
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a": ' + "9" * 5000 + "}",
        "{'a': 1}",
    ],
)
def test_arguments_with_two_readings_or_none_are_refused(raw: str) -> None:
    assert parse_arguments(raw) is None


def test_usage_of_the_server_is_used() -> None:
    assembly = assembled({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
    assert assembly.usage(99) == Usage(3, 4)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "many",
        {},
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": 10**30, "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": 1.5, "completion_tokens": 1},
        {"prompt_tokens": "3", "completion_tokens": 1},
    ],
)
def test_usage_that_cannot_be_is_estimated(usage: object) -> None:
    assert assembled(text("abcdefgh"), {"usage": usage}).usage(99) == Usage(99, 2)


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(None, id="null"),
        pytest.param([], id="list"),
        pytest.param({"choices": ["x"]}, id="choice is text"),
        pytest.param({"choices": [{"delta": "x"}]}, id="delta is text"),
        pytest.param({"choices": [{"delta": {"tool_calls": ["x"]}}]}, id="call is text"),
    ],
)
def test_chunk_of_another_shape_is_unreadable(chunk: object) -> None:
    with pytest.raises(ProviderError) as caught:
        Assembly(PEER, set()).feed(chunk)
    assert caught.value.fault is Fault.UNREADABLE


@pytest.mark.parametrize(
    "chunk", [{}, {"choices": None}, {"choices": []}, {"choices": [{}]}, {"choices": [{"delta": None}]}]
)
def test_chunk_without_news_is_passed_over(chunk: object) -> None:
    assembly = Assembly(PEER, set())
    assert assembly.feed(chunk) == ""
    assert not assembly.started


def test_too_many_calls_are_refused() -> None:
    assembly = Assembly(PEER, set())
    for number in range(MAX_CALLS):
        assembly.feed(call(index=number, name="a", arguments="{}"))
    with pytest.raises(ProviderError, match="more than 128"):
        assembly.feed(call(index=MAX_CALLS, name="a", arguments="{}"))


@pytest.mark.parametrize("make", [text, lambda piece: call(index=0, arguments=piece)], ids=["text", "arguments"])
def test_answer_larger_than_eight_mebibytes_is_refused(make: object) -> None:
    assembly = Assembly(PEER, set())
    with pytest.raises(ProviderError, match="larger than 8192 KiB"):
        [assembly.feed(make("x" * 1_000_000)) for _ in range(9)]  # type: ignore[operator]


def test_repeated_names_do_not_make_the_reading_slow() -> None:
    assembly = Assembly(PEER, set())
    began = time.perf_counter()
    for _ in range(50_000):
        assembly.feed(call(index=0, name="a", arguments="{"))
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("finish", "ended", "words"),
    [
        pytest.param(None, False, "was empty", id="nothing"),
        pytest.param("error", True, "broke the answer off", id="error"),
        pytest.param("content_filter", True, "content filter", id="filtered"),
    ],
)
def test_answer_that_is_none_is_an_error(finish: str | None, ended: bool, words: str) -> None:
    assembly = Assembly(PEER, set())
    assembly.feed(text(None, finish))
    with pytest.raises(ProviderError, match=words):
        assembly.close(ended=ended)


def test_error_inside_a_stream_keeps_its_status() -> None:
    error = chunk_error(PEER, {"message": "slow down", "code": 429})
    assert (error.status, error.fault) == (429, Fault.RATE_LIMIT)
    assert isinstance(chunk_error(PEER, {"message": "long", "code": "context_length_exceeded"}), ContextOverflowError)
    assert "boom" in str(chunk_error(PEER, "boom"))


def test_raw_arguments_are_kept_only_when_malformed() -> None:
    assembly = assembled(
        call(index=0, id="1", name="a", arguments=json.dumps({"n": 1})),
        call(index=1, id="2", name="b", arguments="{"),
    )
    assert [block.raw for block in assembly.message.blocks if isinstance(block, ToolUseBlock)] == ["", "{"]
