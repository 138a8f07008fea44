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


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(_WORD, "little") + data


def pack(fields: Mapping[str, Sequence[bytes]]) -> bytes:
    """Write fields as one message: its length, then each name and its values. Raises ``ValueError`` if too big."""
    parts = []
    for name, values in fields.items():
        parts += [_sized(name.encode()), len(values).to_bytes(_WORD, "little"), *map(_sized, values)]
    body = b"".join(parts)
    if len(body) > MAX_BYTES:
        raise ValueError(f"a message of {len(body)} bytes is over the limit of {MAX_BYTES}")
    return _sized(body)


def unpack(body: bytes) -> dict[str, list[bytes]]:
    """Read a message without its leading length. Raises ``ValueError`` when it does not add up."""
    at = 0

    def number() -> int:
        nonlocal at
        at += _WORD
        if at > len(body):
            raise ValueError("the message ends early")
        return int.from_bytes(body[at - _WORD : at], "little")

    def text() -> bytes:
        nonlocal at
        size = number()
        at += size
        if at > len(body):
            raise ValueError("the message ends early")
        return body[at - size : at]

    fields: dict[str, list[bytes]] = {}
    while at < len(body):
        name = text().decode()
        count = number()
        if count > len(body):
            raise ValueError("the message ends early")
        fields[name] = [text() for _ in range(count)]
    return fields


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
