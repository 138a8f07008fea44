from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator

import pytest

from akili_cli.adapters.net.body import read_body
from akili_cli.domain.errors import ToolFailedError


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
async def test_a_plain_body_is_joined(encoding: str) -> None:
    assert await read_body(pieces(b"ab", b"cd"), encoding=encoding, max_bytes=4) == (b"abcd", False)


async def test_more_than_the_cap_is_cut_and_said() -> None:
    assert await read_body(pieces(b"ab", b"cd"), encoding="", max_bytes=3) == (b"abc", True)
    assert await read_body(pieces(b"abcd"), encoding="", max_bytes=3) == (b"abc", True)
    assert await read_body(pieces(), encoding="", max_bytes=3) == (b"", False)


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [("gzip", gzip.compress(b"x" * 100)), ("Deflate", zlib.compress(b"x" * 100))],
    ids=["gzip", "deflate"],
)
async def test_the_cap_counts_what_is_unpacked(encoding: str, raw: bytes) -> None:
    parts = [raw[:5], raw[5:]]
    assert await read_body(pieces(*parts), encoding=encoding, max_bytes=100) == (b"x" * 100, False)
    assert await read_body(pieces(*parts), encoding=encoding, max_bytes=99) == (b"x" * 99, True)


@pytest.mark.parametrize(("encoding", "raw"), [("br", b"x"), ("gzip, gzip", b"x"), ("zstd", b""), ("gzip", b"plain")])
async def test_what_was_not_asked_for_is_a_failure(encoding: str, raw: bytes) -> None:
    with pytest.raises(ToolFailedError):
        await read_body(pieces(raw), encoding=encoding, max_bytes=10)
