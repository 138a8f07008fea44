"""How a provider's failures are told apart, and what a request weighs before it is sent."""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from akili_cli.domain.errors import ModelError
from akili_cli.domain.messages import Attempt, Message, ModelRequest, TextBlock, ToolUseBlock

MAX_MESSAGE_CHARS = 300
_VERSION_SEGMENT = re.compile(r"/v\d[a-z0-9]*(/|$)")
_CHARS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4


class Fault(enum.StrEnum):
    """Why a provider failed; decides whether a retry or another provider may help."""

    AUTH = "auth"
    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    UNREADABLE = "unreadable"
    SETUP = "setup"
    REQUEST = "request"

    @property
    def is_retryable(self) -> bool:
        """Whether the same call to the same provider may work later."""
        return self in (Fault.RATE_LIMIT, Fault.UNAVAILABLE, Fault.TIMEOUT, Fault.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Peer:
    """The provider and model an error or a record speaks of, and the secret it must never show."""

    provider: str
    model: str
    key_name: str | None = None
    api_key: str | None = field(default=None, repr=False)

    def shown(self, text: str) -> str:
        """Give a provider's own words safe to print: no key, one line, 300 characters, nothing invisible."""
        if self.api_key:
            text = text.replace(self.api_key, "***")
        line = " ".join(text[: 4 * MAX_MESSAGE_CHARS].split())[:MAX_MESSAGE_CHARS]
        return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in line)


class ProviderError(ModelError):
    """One provider failed. ``attempts`` lists every try made for the request, the last one included."""

    def __init__(
        self,
        peer: Peer,
        fault: Fault,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        hint: str = "",
    ) -> None:
        """Build ``provider (model): [HTTP status:] message`` and a hint that fits the fault."""
        self.peer = peer
        self.fault = fault
        self.status = status
        self.retry_after_s = retry_after_s
        self.reason = f"HTTP {status}: {peer.shown(message)}" if status else peer.shown(message)
        self.attempts: tuple[Attempt, ...] = ()
        super().__init__(
            f"{peer.provider} ({peer.model}): {self.reason}",
            hint=hint or _hint(peer, fault, retry_after_s),
            retryable=fault.is_retryable,
        )


class ContextOverflowError(ProviderError):
    """The conversation is longer than the model's context window; it must be shortened first."""


def _hint(peer: Peer, fault: Fault, retry_after_s: float | None) -> str:
    match fault:
        case Fault.AUTH:
            return f"check {peer.key_name or 'the api_key of the provider'}"
        case Fault.RATE_LIMIT if retry_after_s:
            return f"the provider asks to wait {retry_after_s:.0f} s"
        case Fault.QUOTA:
            return "the account behind the key has no credit left"
        case Fault.SETUP:
            return f"check providers.{peer.provider}.model and base_url"
        case Fault.TIMEOUT:
            return f"raise providers.{peer.provider}.timeout_seconds if the model is slow"
        case _:
            return ""


_OVERFLOW = re.compile(
    r"context[ _](length|window|size)|maximum context|(prompt|input|request) (is|was) too long"
    r"|too many (input )?tokens|exceeds? .{0,60}\btokens\b|reduce the length",
    re.IGNORECASE,
)
_REQUEST_STATUS = frozenset({400, 405, 406, 411, 413, 415, 422, 431})


def status_error(
    peer: Peer, status: int, message: str, *, code: str = "", retry_after_s: float | None = None
) -> ProviderError:
    """Turn an HTTP status and the server's words into the right error."""
    if status in _REQUEST_STATUS and (code == "context_length_exceeded" or _OVERFLOW.search(message)):
        return ContextOverflowError(
            peer, Fault.REQUEST, message, status=status, hint="shorten the conversation or start a new one"
        )
    fault = _fault(status, code)
    return ProviderError(peer, fault, message, status=status, retry_after_s=retry_after_s)


def _fault(status: int, code: str) -> Fault:
    if status == 402 or code == "insufficient_quota":  # noqa: PLR2004 - an HTTP status reads best as a number
        return Fault.QUOTA
    if status in (401, 403):
        return Fault.AUTH
    if status == 429:  # noqa: PLR2004 - as above
        return Fault.RATE_LIMIT
    if status == 408 or status >= 500:  # noqa: PLR2004 - as above
        return Fault.UNAVAILABLE
    return Fault.REQUEST if status in _REQUEST_STATUS else Fault.SETUP


def versioned(base_url: str) -> str:
    """Give an OpenAI-style base URL with its API version: ``/v1`` where it names none."""
    base = base_url.rstrip("/")
    return base if _VERSION_SEGMENT.search(urlsplit(base).path) else f"{base}/v1"


def estimate_tokens(request: ModelRequest) -> int:
    """Guess the input tokens of a request: a quarter of its characters plus four a message.

    Good to about 20 % for English and code; used for limits before a call, never for a bill.
    """
    chars = len(request.system) + sum(_chars(message) for message in request.messages)
    for tool in request.tools:
        chars += len(tool.name) + len(tool.description) + len(json.dumps(tool.schema))
    return chars // _CHARS_PER_TOKEN + _TOKENS_PER_MESSAGE * (len(request.messages) + 1)


def estimate_text_tokens(text: str) -> int:
    """Guess the tokens of one text: a quarter of its characters, rounded up."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def _chars(message: Message) -> int:
    chars = 0
    for block in message.blocks:
        if isinstance(block, ToolUseBlock):
            chars += len(block.name) + (len(block.raw) or len(json.dumps(block.arguments, default=str)))
        else:
            chars += len(block.text)
            chars += len(block.untrusted or "") if isinstance(block, TextBlock) else 0
    return chars
