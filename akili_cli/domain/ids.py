"""Identifiers: unguessable where they grant something, short where people type them."""

from __future__ import annotations

import os
import secrets
import uuid
from collections import deque

_UUID_BYTES = 16
_DRAWN_BYTES = 4096
_drawn: deque[bytes] = deque()
os.register_at_fork(after_in_child=_drawn.clear)


def new_uuid() -> str:
    """Give a random UUID (version 4) for runs, conversations and permits.

    The system is asked for many at once; no two threads and no child process ever get the same bytes.
    """
    while True:
        try:
            raw = bytearray(_drawn.popleft())
        except IndexError:
            fresh = os.urandom(_DRAWN_BYTES)
            _drawn.extend(fresh[at : at + _UUID_BYTES] for at in range(0, _DRAWN_BYTES, _UUID_BYTES))
            continue
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        text = raw.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_correlation_id() -> str:
    """Give 16 hex characters that tie together everything one request caused."""
    return secrets.token_hex(8)


def new_approval_id() -> str:
    """Give 32 hex characters (16 random bytes)."""
    return secrets.token_hex(16)


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID in its canonical form."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
