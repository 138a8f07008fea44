"""The one way out of a command's own network: to the hosts its permit names, at addresses that were checked.

The listening socket lies in the command's network, the connections are akili's. Requests are ``CONNECT host:port``
or ``METHOD http://host/path``; names are compared with the permit as written, resolved here, once, and connected to
only where ``adapters/net`` finds nothing against the address.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from akili_cli.adapters.net.resolve import Resolver, checked_addresses, system_resolver
from akili_cli.adapters.net.urls import Target, parse_url
from akili_cli.domain.errors import AkiliError, InvalidArgumentsError, PolicyDeniedError, SandboxError

PORT = 3128
URL = f"http://127.0.0.1:{PORT}"
ENVIRONMENT = {
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"), URL),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), ""),
}
_MAX_HEAD_BYTES = 32 * 1024
_HEAD_S, _CONNECT_S = 30.0, 15.0
_PIECE = 1 << 16
_MAX_AT_ONCE = 64
_MAX_TRIED = 8
_MAX_REFUSALS = 20
_OURS = frozenset({b"host", b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive", b"upgrade"})


class Proxy:
    """Serves one command. ``refusals`` says what it asked for beyond its permit."""

    def __init__(
        self, hosts: tuple[str, ...], private_hosts: tuple[str, ...], *, resolver: Resolver = system_resolver
    ) -> None:
        """Keep the permitted ``host:port`` pairs; raises ``SandboxError`` for one that cannot be read.

        Private and loopback addresses are reached where the permit names the address itself or ``localhost``, and
        for ``private_hosts``; link-local and metadata addresses never.
        """
        targets = [_permitted(host) for host in hosts]
        self._allowed = frozenset(target.authority for target in targets)
        named = (target.authority for target in targets if target.is_address or target.host == "localhost")
        self._private = (*named, *private_hosts)
        self._resolver = resolver
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[object] | None] = set()
        self.refusals: list[str] = []

    async def open(self, listener: socket.socket) -> None:
        """Begin to serve a listening socket, which then belongs to the proxy."""
        listener.setblocking(False)
        self._server = await asyncio.start_server(self._serve, sock=listener, limit=_MAX_HEAD_BYTES)

    async def close(self) -> None:
        """End every connection."""
        if self._server is not None:
            self._server.close()
        serving = [task for task in self._serving if task is not None]
        for task in serving:
            task.cancel()
        if serving:
            await asyncio.wait(serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        try:
            if len(self._serving) <= _MAX_AT_ONCE:
                await self._answer(reader, writer)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):  # the other side's trouble
            return
        except asyncio.CancelledError:  # the command has ended; nobody waits for this task's result
            return
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_S):
            head = await reader.readuntil(b"\r\n\r\n")
        try:
            method, target, lines = _parsed(head)
            if target.authority not in self._allowed:
                raise PolicyDeniedError(f"{target.authority} is not among the hosts this command may reach")
            far_reader, far_writer = await self._connected(target)
        except AkiliError as error:
            if isinstance(error, PolicyDeniedError) and len(self.refusals) < _MAX_REFUSALS:
                self.refusals.append(str(error))
            status = b"403 Forbidden" if isinstance(error, PolicyDeniedError) else b"502 Bad Gateway"
            body = f"akili: {error}\n".encode()
            writer.write(
                b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)
            )
            await writer.drain()
            return
        try:
            if method == b"CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                far_writer.write(_head(method, target, lines))
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.close()

    async def _connected(self, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        addresses = await checked_addresses(target, private_hosts=self._private, resolver=self._resolver)
        for address in addresses[:_MAX_TRIED]:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_S):
                    return await asyncio.open_connection(address, target.port)
        raise SandboxError(f"{target.authority} does not answer")


def _permitted(host: str) -> Target:
    try:
        return parse_url(f"http://{host}/")
    except InvalidArgumentsError as error:
        raise SandboxError(f"the permit names the host {host!r}, which cannot be read: {error}") from error


def _parsed(head: bytes) -> tuple[bytes, Target, list[bytes]]:
    """Read a request; raises ``InvalidArgumentsError`` for what is not one."""
    first, *lines = head[:-4].split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1.") or not words[0].isalpha():
        raise InvalidArgumentsError("this is no request that a proxy serves")
    method, text, _ = words
    try:
        where = text.decode("ascii")
    except UnicodeDecodeError as error:
        raise InvalidArgumentsError("the host is not ASCII") from error
    if method == b"CONNECT":
        target = parse_url(f"https://{where}")
        if target.path != "/" or not where.rpartition(":")[2].isdigit():
            raise InvalidArgumentsError("CONNECT needs host:port")
        return method, target, lines
    if not where.startswith("http://"):
        raise InvalidArgumentsError("only http:// URLs and CONNECT are served")
    if any(not line or line[:1] in b" \t" or b":" not in line or b"\n" in line for line in lines):
        raise InvalidArgumentsError("the request's header is malformed")
    return method, parse_url(where), lines


def _head(method: bytes, target: Target, lines: list[bytes]) -> bytes:
    """Write the request as the server itself wants it: one host, one request, then the end."""
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() not in _OURS]
    own = [b"Host: " + target.host_header.encode(), b"Connection: close"]
    return b"\r\n".join([b"%s %s HTTP/1.1" % (method, target.path.encode()), *own, *kept, b"", b""])


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:  # one side went away: the other one is told
        writer.close()
