"""Connects to addresses that were checked, and to nothing else, whatever name the request carries."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING

import httpcore

from akili_cli.domain.errors import PolicyDeniedError

if TYPE_CHECKING:
    import ssl

MAX_TRIED = 16
SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """A network that consists of the given addresses; the host it is asked for does not matter."""

    def __init__(self, addresses: tuple[str, ...], *, network: httpcore.AsyncNetworkBackend | None = None) -> None:
        """Keep the addresses that were checked; ``network`` replaces the system's."""
        self._addresses = addresses
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the name was resolved and checked before; asking again is the hole
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the port's signature
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers, and look at who it really is."""
        last: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._addresses[:MAX_TRIED]:
            try:
                stream = await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
                continue
            await _check_peer(stream, address, port)
            return stream
        raise last or httpcore.ConnectError("no address")

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - the port's signature
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the port's signature
        socket_options: Iterable[SocketOption] | None = None,  # noqa: ARG002 - the port's signature
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no URL means a local socket."""
        raise httpcore.ConnectError("no local sockets")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._network.sleep(seconds)


async def _check_peer(stream: httpcore.AsyncNetworkStream, address: str, port: int) -> None:
    peer = stream.get_extra_info("server_addr")
    if not (isinstance(peer, tuple) and _is_same(str(peer[0]), address) and peer[1] == port):
        await stream.aclose()
        raise PolicyDeniedError(f"connected to {peer!r} instead of {address}")


def _is_same(peer: str, address: str) -> bool:
    try:
        return ip_address(peer) == ip_address(address)
    except ValueError:
        return False


def tls_context() -> ssl.SSLContext:
    """Give a context that checks certificates and host names and reads nothing from the environment."""
    from akili_cli.adapters.net.client import load_httpx

    context: ssl.SSLContext = load_httpx().create_ssl_context(trust_env=False)
    return context
