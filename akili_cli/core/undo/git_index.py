"""Reads what git's index file says about files, apart from what it remembers of their times and inodes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HASH_BYTES = (20, 32)
_STAT_BYTES, _MODE_AT = 40, 24
_EXTENDED = 0x4000
_NAME_LENGTH = 0x0FFF


def meaning(data: bytes) -> bytes | None:
    """Give mode, object, flags and name of every entry; None for a file that is no index or builds on another one.

    ``git status`` rewrites an index without changing what it means.
    """
    for size in _HASH_BYTES:
        try:
            return b"".join(_entries(data, size))
        except (struct.error, ValueError, IndexError):
            continue
    return None


def _entries(data: bytes, hash_bytes: int) -> Iterator[bytes]:
    magic, version, count = struct.unpack_from(">4sLL", data)
    if magic != b"DIRC" or version not in (2, 3, 4):
        raise ValueError
    at, name = 12, b""
    for _ in range(count):
        start = at
        at += _STAT_BYTES + hash_bytes
        (flags,) = struct.unpack_from(">H", data, at)
        at += 2
        more = b""
        if flags & _EXTENDED:
            more = data[at : at + 2]
            at += 2
        if version == 4:  # noqa: PLR2004 - the version that shortens names
            dropped, at = _number(data, at)
            end = data.index(b"\0", at)
            name = name[: len(name) - dropped] + data[at:end]
            at = end + 1
        else:
            end = data.index(b"\0", at)
            name = data[at:end]
            at = start + (end - start + 8 & ~7)
        said = data[start + _MODE_AT : start + _MODE_AT + 4] + data[start + _STAT_BYTES :][:hash_bytes]
        yield said + struct.pack(">H", flags & ~_NAME_LENGTH) + more + name + b"\0"
    _check_rest(data, at, hash_bytes)


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1


def _check_rest(data: bytes, at: int, hash_bytes: int) -> None:
    """Raise for a rest that is not extensions and a checksum, or that needs another file to be understood."""
    while at < len(data) - hash_bytes:
        name, size = struct.unpack_from(">4sL", data, at)
        if not 65 <= name[0] <= 90:  # noqa: PLR2004 - A to Z: an extension that may be passed over
            raise ValueError
        at += 8 + size
    if at != len(data) - hash_bytes:
        raise ValueError
