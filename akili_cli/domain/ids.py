"""Identifiers: unguessable where they grant something, short where people type them."""

from __future__ import annotations

import secrets
import uuid


def new_uuid() -> str:
    """Give a random UUID (version 4) for runs, conversations and permits."""
    return str(uuid.uuid4())


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
