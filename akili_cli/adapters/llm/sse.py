"""Reads server-sent events out of a byte stream, within bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator

MAX_LINE_BYTES = 1024 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024


class SseError(ValueError):
    """The stream is not server-sent events, or larger than allowed."""


async def bounded(chunks: AsyncIterator[bytes], limit_bytes: int = MAX_BODY_BYTES) -> AsyncIterator[bytes]:
    """Pass chunks on until more than ``limit_bytes`` came; then raise ``SseError``."""
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        if total > limit_bytes:
            raise SseError(f"the answer is larger than {limit_bytes // 1024} KiB")
        yield chunk


async def lines(chunks: AsyncIterator[bytes], limit_bytes: int = MAX_LINE_BYTES) -> AsyncIterator[str]:
    """Split into lines without their end; raises ``SseError`` for a line that is too long or not UTF-8."""
    rest = bytearray()
    async for chunk in chunks:
        searched = len(rest)
        rest += chunk
        start = 0
        while (end := rest.find(b"\n", max(start, searched))) >= 0:
            yield _text(rest[start:end], limit_bytes)
            start = end + 1
        del rest[:start]
        if len(rest) > limit_bytes:
            raise SseError(f"a line is longer than {limit_bytes // 1024} KiB")
    if rest:
        yield _text(rest, limit_bytes)


def _text(raw: bytes | bytearray, limit_bytes: int) -> str:
    if len(raw) > limit_bytes:
        raise SseError(f"a line is longer than {limit_bytes // 1024} KiB")
    try:
        return raw.decode("utf-8").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise SseError("the answer is not UTF-8") from error


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the data of each event; comments and other fields are skipped, the last event needs no blank line.

    Raises ``SseError`` when a line or the whole is too large, or for a line that no event stream may hold.
    """
    data: list[str] = []
    size = 0
    first = True
    async for line in lines(bounded(chunks)):
        text = line.removeprefix("\ufeff") if first else line
        first = False
        if not text:
            if data:
                yield "\n".join(data)
            data, size = [], 0
            continue
        name, _, value = text.partition(":")
        if name == "data":
            size += len(value)
            if size > MAX_LINE_BYTES:
                raise SseError(f"an event is longer than {MAX_LINE_BYTES // 1024} KiB")
            data.append(value.removeprefix(" "))
        elif name not in ("", "event", "id", "retry"):
            raise SseError("the answer is neither an event stream nor JSON")
    if data:
        yield "\n".join(data)
