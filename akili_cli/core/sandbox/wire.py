"""The tiny format between akili and the sandbox's processes: named lists of byte strings, with lengths.

JSON would do, but importing it would make every fork of the zygote bigger.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing and collections.abc at run time costs milliseconds
    from collections.abc import Mapping, Sequence

MAX_BYTES = 16 * 1024 * 1024
_WORD = LENGTH = 4


def pack(fields: Mapping[str, Sequence[bytes]]) -> bytes:
    """Write fields as one message: its length, then each name and its values. Raises ``ValueError`` if too big."""
    parts = [b""]
    for name, values in fields.items():
        key = name.encode()
        parts += (len(key).to_bytes(_WORD, "little"), key, len(values).to_bytes(_WORD, "little"))
        for value in values:
            parts += (len(value).to_bytes(_WORD, "little"), value)
    size = sum(map(len, parts))
    if size > MAX_BYTES:
        raise ValueError(f"a message of {size} bytes is over the limit of {MAX_BYTES}")
    parts[0] = size.to_bytes(_WORD, "little")
    return b"".join(parts)


def unpack(body: bytes) -> dict[str, list[bytes]]:
    """Read a message without its leading length. Raises ``ValueError`` when it does not add up."""
    fields: dict[str, list[bytes]] = {}
    at, end = 0, len(body)
    while at < end:
        name, at = _text(body, at)
        count = int.from_bytes(body[at : at + _WORD], "little")
        at += _WORD
        if at > end or count > end:
            raise ValueError("the message ends early")
        values: list[bytes] = []
        for _ in range(count):
            value, at = _text(body, at)
            values.append(value)
        fields[name.decode()] = values
    return fields


def _text(body: bytes, at: int) -> tuple[bytes, int]:
    start = at + _WORD
    end = start + int.from_bytes(body[at:start], "little")
    if end > len(body) or start > len(body):
        raise ValueError("the message ends early")
    return body[start:end], end


def read(descriptor: int) -> dict[str, list[bytes]]:
    """Read one whole message from a blocking descriptor. Raises ``ValueError`` on a broken one."""
    size = int.from_bytes(_exactly(descriptor, _WORD), "little")
    if size > MAX_BYTES:
        raise ValueError("the message is too big")
    return unpack(_exactly(descriptor, size))


def _exactly(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(descriptor, min(size - len(data), 1 << 16))
        if not piece:
            raise ValueError("the message ends early")
        data += piece
    return data
