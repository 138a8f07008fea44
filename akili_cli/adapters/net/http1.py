"""One HTTP/1.1 request over a connection of its own, for the client of a gateway: quick to import, nothing is followed.

The other doors use httpx and httpcore, which take three times as long to import: a command that is over in 100 ms
would spend most of it there.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h11

from akili_cli.adapters.net.urls import Target

if TYPE_CHECKING:
    import ssl

READ_BYTES = 65_536
MAX_HEAD_BYTES = 65_536
Headers = tuple[tuple[str, str], ...]
_ERRNO = re.compile(r"\[Errno ([0-9]+)\]")


class NotReachedError(OSError):
    """There is no connection, so nothing was sent; ``str`` says why."""


class CutError(OSError):
    """The connection ended, fell silent or spoke no HTTP before the answer was whole; ``str`` says which."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait: for the connection, for the head of the answer, and for each next piece of its body."""

    connect_s: float
    answer_s: float
    idle_s: float


@dataclass(slots=True)
class Answer:
    """A status, headers with lower-case names, and a body that is read while one asks for it."""

    status: int
    headers: Mapping[str, str]
    _connection: h11.Connection = field(repr=False)
    _reader: asyncio.StreamReader = field(repr=False)
    _idle_s: float = 0.0

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; raises ``CutError`` when it ends early or nothing comes for too long."""
        while True:
            event = await _next(self._connection, self._reader, self._idle_s)
            match event:
                case h11.Data():
                    yield bytes(event.data)
                case h11.EndOfMessage():
                    return
                case _:
                    raise CutError("the connection ended in the middle of the answer")


@asynccontextmanager
async def exchange(
    method: str,
    target: Target,
    headers: Headers,
    *,
    waits: Waits,
    content: bytes = b"",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Answer]:
    """Send a request and give the answer with its body unread; the connection ends with the block.

    No redirect is followed, no proxy, cookie or variable takes part, and no compression is asked for. Raises
    ``NotReachedError`` and ``CutError``.
    """
    reader, writer = await _connected(target, waits.connect_s, tls)
    try:
        connection = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        fixed = (("Host", target.host_header), ("Accept-Encoding", "identity"), ("Connection", "close"))
        length = (("Content-Length", str(len(content))),) if content or method == "POST" else ()
        request = h11.Request(method=method, target=target.path, headers=[*headers, *fixed, *length])
        data = connection.send(request) or b""
        data += connection.send(h11.Data(data=content)) or b"" if content else b""
        writer.write(data + (connection.send(h11.EndOfMessage()) or b""))
        yield await _answer(connection, reader, waits)
    finally:
        writer.transport.abort()


async def _connected(
    target: Target, connect_s: float, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(connect_s):
            return await asyncio.open_connection(
                target.host, target.port, ssl=tls, server_hostname=target.host if tls is not None else None
            )
    except TimeoutError:
        raise NotReachedError(f"no connection within {connect_s:g} s") from None
    except OSError as error:
        raise NotReachedError(_reason(error)) from error


def _reason(error: OSError) -> str:
    verified = getattr(error, "verify_message", "")
    if verified:
        return f"its certificate is not valid: {verified}"
    number = error.errno or int(next(iter(_ERRNO.findall(str(error))), "0"))  # of several addresses, the first's
    return os.strerror(number) if number > 0 else error.strerror or type(error).__name__


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader, waits: Waits) -> Answer:
    try:
        async with asyncio.timeout(waits.answer_s):
            while True:
                event = await _next(connection, reader, waits.answer_s)
                if isinstance(event, h11.Response):
                    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
                    return Answer(event.status_code, headers, connection, reader, waits.idle_s)
                if not isinstance(event, h11.InformationalResponse):
                    raise CutError("the connection ended before there was an answer")
    except TimeoutError:
        raise CutError(f"there was no answer within {waits.answer_s:g} s") from None


async def _next(connection: h11.Connection, reader: asyncio.StreamReader, idle_s: float) -> object:
    """Give the next part of the answer; ``ConnectionClosed`` and ``PAUSED`` mean that there is none."""
    data: bytes | None = None
    try:
        while (event := connection.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(idle_s):
                data = await reader.read(READ_BYTES)
            connection.receive_data(data)
    except TimeoutError:
        raise CutError(f"nothing came for {idle_s:g} s") from None
    except h11.RemoteProtocolError as error:
        what = "the connection ended in the middle of the answer" if data == b"" else "the answer is no HTTP"
        raise CutError(what) from error
    except OSError as error:
        raise CutError(f"the connection broke: {_reason(error)}") from error
    return event
