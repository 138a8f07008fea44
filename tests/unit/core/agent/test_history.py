from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.core.agent.history import MARKER, coherent, parse_blocks, render_blocks, shorten
from akili_cli.domain.errors import StorageError
from akili_cli.domain.messages import Block, Message, TextBlock, ToolResultBlock, ToolUseBlock

PLAIN = Message("user", (TextBlock("q"),))
SAYS = Message("assistant", (TextBlock("a"),))


def uses(*ids: str) -> Message:
    return Message("assistant", tuple(ToolUseBlock(id_, "t", {}) for id_ in ids))


def results(*ids: str) -> Message:
    return Message("user", tuple(ToolResultBlock(id_, "ok") for id_ in ids))


@pytest.mark.parametrize(
    ("messages", "kept_from"),
    [
        ([PLAIN, SAYS], 0),
        ([PLAIN, uses("1"), results("1"), SAYS, PLAIN], 0),
        ([SAYS, PLAIN, SAYS], 1),
        ([results("1"), SAYS, PLAIN], 2),
        ([uses("1"), results("1"), SAYS, PLAIN], 3),
        ([PLAIN, uses("1", "2"), results("1"), SAYS, PLAIN], 4),
        ([PLAIN, uses("1"), results("1", "2"), SAYS, PLAIN], 4),
        ([PLAIN, uses("1"), PLAIN, SAYS], 2),
        ([PLAIN, SAYS, results("9"), PLAIN], 3),
        ([PLAIN, uses("1"), results("2")], 3),
        ([], 0),
    ],
    ids=[
        "plain", "paired", "answer first", "orphan first", "no person", "half answered", "answered too much",
        "never answered", "orphan inside", "wrong answer", "empty",
    ],
)  # fmt: skip
def test_the_longest_coherent_end_is_kept(messages: list[Message], kept_from: int) -> None:
    assert coherent(messages) == tuple(messages[kept_from:])


def test_an_open_use_at_the_end_is_left_out() -> None:
    assert coherent([PLAIN, SAYS, PLAIN, uses("1")]) == (PLAIN, SAYS, PLAIN)


@given(st.lists(st.sampled_from([PLAIN, SAYS, uses("1"), uses("1", "2"), results("1"), results("2", "1")])))
def test_what_is_kept_always_starts_with_a_person_and_pairs_uses(messages: list[Message]) -> None:
    kept = coherent(messages)
    assert kept == () or kept[0] == PLAIN
    asked: set[str] = set()
    for message in kept:
        answered = {block.tool_use_id for block in message.blocks if isinstance(block, ToolResultBlock)}
        assert answered == asked
        asked = {block.id for block in message.blocks if isinstance(block, ToolUseBlock)}
    assert asked == set()


@given(st.text(), st.integers(64, 300))
def test_shortened_text_fits_and_is_a_prefix(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short.encode()) <= limit
    if short.endswith(MARKER) and short != text:
        assert text.startswith(short.removesuffix(MARKER))
    else:
        assert short == text


ANY_TEXT = st.text(st.characters())
BLOCKS = st.one_of(
    st.builds(TextBlock, ANY_TEXT, st.none() | ANY_TEXT),
    st.builds(
        ToolUseBlock,
        ANY_TEXT,
        ANY_TEXT,
        st.none() | st.dictionaries(ANY_TEXT, st.none() | st.booleans() | st.integers() | ANY_TEXT),
        ANY_TEXT,
    ),
    st.builds(ToolResultBlock, ANY_TEXT, ANY_TEXT, st.booleans()),
)


@given(st.lists(BLOCKS))
def test_blocks_survive_the_round_trip(blocks: list[Block]) -> None:
    text = render_blocks(blocks)
    assert text.isascii()
    assert parse_blocks(text) == tuple(blocks)


def test_arguments_that_are_no_json_are_refused() -> None:
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(StorageError, match="cannot be stored"):
        render_blocks([ToolUseBlock("1", "t", deep)])
    while deep:  # unwound by hand: freeing it in one go is deep as well
        deep = deep["a"]  # type: ignore[assignment] # a dictionary


@pytest.mark.parametrize(
    "text", ["", "{}x", "1", "[1]", "[{}]", '[{"type":"text"}]', '[{"type":"sudo"}]', "[" * 99_999]
)
def test_damaged_blocks_are_a_storage_error(text: str) -> None:
    with pytest.raises(StorageError, match="damaged"):
        parse_blocks(text)
