"""Reads a request's body whole, in time and within its limit, and takes it only as strict JSON."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from akili_cli.adapters.files.strict_json import load_json_with_lines
from akili_cli.domain.errors import (
    ConfigError,
    InvalidBodyError,
    SlowRequestError,
    TooLargeError,
    UnsupportedTypeError,
)

LARGE_BYTES = 16_384
"""Bodies from here on are checked beside the event loop."""

_JSON = "application/json"
_CHARSETS = ("", "charset=utf-8")


def is_without_body(headers: Headers) -> bool:
    """Tell whether a request's head announces that no body follows."""
    lengths = headers.getlist("content-length")
    return "transfer-encoding" not in headers and all(length.strip() == "0" for length in lengths)


@dataclass(frozen=True, slots=True)
class BodyReader:
    """Reads bodies of at most ``limit`` bytes within ``timeout_s`` seconds."""

    limit: int
    timeout_s: float

    async def read(self, headers: Headers, receive: Receive) -> Receive:
        """Read and check a body; give what a route receives in its place: the same, in one piece.

        Raises ``UnsupportedTypeError``, ``TooLargeError``, ``SlowRequestError`` and ``InvalidBodyError``.
        """
        if is_without_body(headers):
            return receive
        _check_type(headers)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or len(headers.getlist("content-length")) > 1:
            raise InvalidBodyError("the header Content-Length is not one number")
        if len(length) > len(str(self.limit)) or int(length) > self.limit:
            raise self._too_large()
        try:
            async with asyncio.timeout(self.timeout_s):
                body = await self._whole(receive)
        except TimeoutError:
            raise SlowRequestError(
                f"the body did not arrive within {self.timeout_s:g} s", hint="send it again"
            ) from None
        if len(body) < LARGE_BYTES:
            check_json(body)
        else:
            await asyncio.to_thread(check_json, body)
        return _replayed(body, receive)

    async def _whole(self, receive: Receive) -> bytes:
        parts = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise InvalidBodyError("the connection ended within the body")
            parts += message.get("body", b"")
            if len(parts) > self.limit:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(parts)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the body is larger than {self.limit} bytes", hint="send less at once")


def check_json(body: bytes) -> None:
    """Raise ``InvalidBodyError`` that names the place, unless a body is strict JSON in UTF-8 (or empty)."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidBodyError(f"the body is not UTF-8: byte {error.start}", hint="send JSON in UTF-8") from None
    try:
        load_json_with_lines(text, "body")
    except ConfigError as error:
        raise InvalidBodyError(str(error), hint="send one JSON value, each key once, finite numbers") from None


def _check_type(headers: Headers) -> None:
    given = headers.getlist("content-type")
    kind, _, parameter = (given[0] if len(given) == 1 else "").lower().partition(";")
    if kind.strip() != _JSON or parameter.strip().replace('"', "") not in _CHARSETS:
        raise UnsupportedTypeError("the body must be JSON", hint=f"send Content-Type: {_JSON}")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedTypeError("the body must not be compressed", hint="leave Content-Encoding out")


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
