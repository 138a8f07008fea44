"""Signed deliveries: ``X-Akili-Signature: t=<epoch seconds>,v1=<HMAC-SHA256 of "<t>.<body>" in hex>``."""

from __future__ import annotations

import hmac
import re

from akili_cli.domain.errors import UnauthorizedError

HEADER = "X-Akili-Signature"
WINDOW_S = 300
HINT = f'{HEADER}: t=<epoch seconds>,v1=<HMAC-SHA256 of "<t>.<body>" in small hex>, at most {WINDOW_S} seconds old'
_FORM = re.compile(r"t=([1-9][0-9]{0,11}),v1=([0-9a-f]{64})", re.ASCII)


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """Give the HMAC-SHA256 (hex) of a body sent at a time; raises ``ValueError`` for an empty secret."""
    if not secret:
        raise ValueError("an empty secret signs nothing")
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, "sha256").hexdigest()


def check_signature(header: str | None, body: bytes, secret: str, now: float) -> str:
    """Give the signature of a delivery, by which it is known again.

    Raises ``UnauthorizedError``, the same for every reason: another form, another key or body, a time more than five
    minutes ago or ahead.
    """
    found = _FORM.fullmatch(header or "")
    timestamp, given = (found[1], found[2]) if found else ("1", "0" * 64)
    expected = signature_of(secret, timestamp, body) if secret else ""
    fits = hmac.compare_digest(expected, given)
    if found is None or not fits or abs(now - int(timestamp)) > WINDOW_S:
        raise refused()
    return given


def check_token(header: str | None, secret: str) -> None:
    """Check a bearer token; raises ``UnauthorizedError``."""
    scheme, _, token = (header or "").partition(" ")
    fits = hmac.compare_digest(token.encode(), secret.encode())
    if scheme.lower() != "bearer" or not secret or not fits:
        raise refused()


def refused() -> UnauthorizedError:
    """Give the one refusal of deliveries, which does not say whether there is such a webhook."""
    return UnauthorizedError("this delivery is not from a webhook that is known here", hint=HINT)
