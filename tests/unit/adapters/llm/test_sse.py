from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from akili_cli.adapters.llm import sse
from akili_cli.adapters.llm.sse import SseError, bounded, events, lines


async def parts(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(*chunks: bytes) -> list[str]:
    return [event async for event in events(parts(*chunks))]


STREAM = b'\xef\xbb\xbf: hello\nevent: x\nid: 1\ndata: {"a": "\xc3\xbc"}\n\ndata:one\r\ndata: two\r\n\r\n\n\ndata: last'
WANTED = ['{"a": "ü"}', "one\ntwo", "last"]


async def test_events_are_read_whole() -> None:
    assert await read(STREAM) == WANTED


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_events_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    assert await read(*(STREAM[at : at + size] for at in range(0, len(STREAM), size))) == WANTED


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"hello\n\n", id="prose"),
        pytest.param(b"data: \xff\n\n", id="not UTF-8"),
        pytest.param(b"data: " + b"x" * 2 * 1024 * 1024, id="endless line"),
        pytest.param(b"data: " + b"x" * 2 * 1024 * 1024 + b"\n", id="long line"),
        pytest.param((b"data: " + b"x" * 1000 + b"\n") * 1100, id="long event"),
    ],
)
async def test_what_is_no_event_stream_is_refused(raw: bytes) -> None:
    with pytest.raises(SseError):
        await read(raw)


async def test_endless_line_is_refused_before_it_ends() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    with pytest.raises(SseError, match="line is longer"):
        assert [line async for line in lines(endless())]


async def test_endless_comments_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b": ping\n\n" * 1000

    with pytest.raises(SseError, match="larger than"):
        assert [chunk async for chunk in bounded(endless(), 1_000_000)]
    assert sse.MAX_BODY_BYTES == 64 * 1024 * 1024
