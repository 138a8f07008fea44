"""What a gateway's answers that are no success mean, as akili's own errors."""

from __future__ import annotations

import json
from collections.abc import Mapping

from akili_cli.domain.errors import (
    AkiliError,
    ApprovalRequiredError,
    BudgetExceededError,
    ConflictError,
    ExpiredError,
    InvalidArgumentsError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
)

MAX_WORDS = 2000
_CLASSES: Mapping[int, type[AkiliError]] = {
    202: ApprovalRequiredError,
    400: InvalidArgumentsError,
    401: UnauthorizedError,
    402: BudgetExceededError,
    403: RefusedError,
    404: NotFoundError,
    409: ConflictError,
    410: ExpiredError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}
_HINTS = {401: "see AKILI_API_KEY and --api-key; `akili keys create` on the gateway's machine makes one"}


def parsed(data: bytes) -> object:
    """Read a JSON text; None for what is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def refusal(status: int, headers: Mapping[str, str], body: object, who: str) -> AkiliError:
    """Give the error that an answer stands for.

    ``body`` is the error shape of the gateway; anything else is told by its status alone, for what it says is
    not the gateway's word.
    """
    if 300 <= status < 400:  # noqa: PLR2004 - an HTTP status reads best as a number
        message = f"{who} answered with a redirect ({status}), which is not followed: the key is for this address only"
        return AkiliError(message, hint="name the address that the gateway itself is served at")
    text, hint = f"{who} answered with status {status}", ""
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        text, hint = body["error"][:MAX_WORDS], str(body.get("hint") or "")[:MAX_WORDS]
        text += _fields(body.get("fields"))
        if status >= 500 and body.get("correlation_id"):  # noqa: PLR2004 - as above
            text += f" (correlation id {str(body['correlation_id'])[:40]})"
    elif status in (502, 503, 504):
        hint = "what stands before the gateway answered, not the gateway"
    hint = hint or _HINTS.get(status, "")
    if status == 429:  # noqa: PLR2004 - as above
        wait_s = headers.get("retry-after", "")
        seconds = float(wait_s) if wait_s.isdigit() and len(wait_s) < 8 else 1.0  # noqa: PLR2004 - not for months
        return RateLimitedError(text, retry_after_s=seconds, hint=hint or f"try again in {seconds:g} s")
    return _CLASSES.get(status, AkiliError)(text, hint=hint, retryable=status in (502, 503, 504))


def _fields(fields: object) -> str:
    if not isinstance(fields, list):
        return ""
    places = [one for one in fields if isinstance(one, dict)]
    told = [f"{str(one.get('field', ''))[:100]}: {str(one.get('problem', ''))[:200]}" for one in places[:10]]
    return f" ({'; '.join(told)})" if told else ""
