from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.adapters.net import frames as module
from akili_cli.adapters.net.frames import NoFramesError, RawFrame, frames


async def read(*pieces: bytes) -> list[RawFrame]:
    async def source() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return [one async for one in frames(source())]


async def test_a_frame_has_a_number_a_name_and_its_data() -> None:
    assert await read(b'id: 7\nevent: text\ndata: {"a":1}\n\n') == [RawFrame(7, "text", b'{"a":1}')]


async def test_comments_and_empty_frames_are_nothing() -> None:
    assert await read(b": ping\n\nretry: 5\n\nid: 3\n\ndata: x\n\n") == [RawFrame(0, "message", b"x")]


async def test_what_the_end_cuts_is_not_a_frame() -> None:
    assert await read(b"data: 1\n\ndata: 2\n") == [RawFrame(0, "message", b"1")]


async def test_lines_of_any_length_are_read_in_any_pieces() -> None:
    long = b"x" * 3_000_000
    data = b"data: " + long + b"\r\n\r\n"
    found = await read(*(data[at : at + 70_000] for at in range(0, len(data), 70_000)))
    assert found == [RawFrame(0, "message", long)]


@given(st.lists(st.integers(1, 9), max_size=60))
async def test_where_the_network_cuts_makes_no_difference(sizes: list[int]) -> None:
    data, pieces = b'id: 1\nevent: a\ndata: {"b":\ndata: 2}\n\n: c\n\ndata: d\n\n', []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    assert await read(*pieces, data) == [RawFrame(1, "a", b'{"b":\n2}'), RawFrame(0, "message", b"d")]


@pytest.mark.parametrize("number", [b"x", b"-1", b"1" * 40, b"\xb2"])
async def test_an_id_that_is_no_number_is_none(number: bytes) -> None:
    assert (await read(b"id: " + number + b"\ndata: x\n\n"))[0].number == 0


@pytest.mark.parametrize("data", [b"<html>\n", b'{"error": "x"}\n', b"dat: x\n\n"])
async def test_what_is_no_event_stream_is_refused(data: bytes) -> None:
    with pytest.raises(NoFramesError):
        await read(data)


@pytest.mark.parametrize("data", [b"data: " + b"x" * 200, b"data: " + b"x" * 60 + b"\ndata: " + b"x" * 60 + b"\n"])
async def test_no_more_is_held_than_the_limit(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FRAME_BYTES", 100)
    with pytest.raises(NoFramesError, match="too large"):
        await read(data)
