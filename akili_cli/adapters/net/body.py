"""Reads a response body up to a cap, counted after decompression."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Callable

from akili_cli.domain.errors import ToolFailedError

_GZIP_OR_ZLIB = 47  # zlib: largest window, either header


async def read_body(chunks: AsyncIterable[bytes], *, encoding: str, max_bytes: int) -> tuple[bytes, bool]:
    """Give at most ``max_bytes`` of the decoded body, and whether there was more.

    Never holds more than the cap and one chunk. Raises ``ToolFailedError`` for an encoding that was not asked
    for and is not gzip or deflate, and for data that is damaged.
    """
    decode = _decoder(encoding)
    body = bytearray()
    async for chunk in chunks:
        body += decode(chunk, max_bytes + 1 - len(body))
        if len(body) > max_bytes:
            return bytes(body[:max_bytes]), True
    return bytes(body), False


class _Inflate:
    """Decompresses at most as much as is asked for; what is left over means that the cap was passed."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)

    def __call__(self, chunk: bytes, room: int) -> bytes:
        try:
            return self._stream.decompress(chunk, room)
        except zlib.error as error:
            raise ToolFailedError("the response's compression is damaged") from error


def _plain(chunk: bytes, _room: int) -> bytes:
    return chunk


def _decoder(encoding: str) -> Callable[[bytes, int], bytes]:
    match encoding.strip().lower():
        case "" | "identity":
            return _plain
        case "gzip" | "x-gzip" | "deflate":
            return _Inflate()
        case other:
            raise ToolFailedError(f"the response is encoded as {other[:40]!r}, which was not asked for")
