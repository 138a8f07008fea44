"""Reads the frames of a gateway's event stream: an id, a name, and one JSON object each, of whatever length."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

MAX_FRAME_BYTES = 64 * 1024 * 1024


class NoFramesError(ValueError):
    """What came is no event stream, or one frame is larger than this process wants to hold."""


@dataclass(frozen=True, slots=True)
class RawFrame:
    """One frame as it came; ``number`` is its id, 0 when it has none that is a number."""

    number: int
    name: str
    data: bytes


async def frames(pieces: AsyncIterator[bytes]) -> AsyncGenerator[RawFrame, None]:
    """Yield whole frames; one that the end of the stream cuts is thrown away. Raises ``NoFramesError``."""
    name, number = "", 0
    data: list[bytes] = []
    async for line in _lines(pieces):
        if not line:
            if data:
                yield RawFrame(number, name or "message", b"\n".join(data))
            name, number, data = "", 0, []
            continue
        key, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match key:
            case b"data":
                data.append(value)
                if sum(map(len, data)) > MAX_FRAME_BYTES:
                    raise NoFramesError("a frame is too large")
            case b"event":
                name = value.decode("utf-8", "replace")
            case b"id":
                number = int(value) if value.isdigit() and len(value) < 16 else 0  # noqa: PLR2004 - no run has so many
            case b"" | b"retry":
                pass
            case _:
                raise NoFramesError("that is no event stream")


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = bytearray()
    async for piece in pieces:
        searched = len(rest)
        rest += piece
        start = 0
        while (end := rest.find(b"\n", max(start, searched))) >= 0:
            yield bytes(rest[start:end].removesuffix(b"\r"))
            start = end + 1
        del rest[:start]
        if len(rest) > MAX_FRAME_BYTES:
            raise NoFramesError("a line is too large")
