"""Turns a host into the addresses that may be connected to: asked once, every answer checked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from akili_cli.adapters.net.addresses import blocked
from akili_cli.adapters.net.urls import Target
from akili_cli.domain.errors import PolicyDeniedError, ToolFailedError
from akili_cli.domain.hosts import host_name, split_host

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
MAX_ADDRESSES = 64
_INTERNAL = frozenset({"private", "loopback", "carrier-grade NAT"})


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name; raises ``OSError``."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(str(entry[4][0]) for entry in found)


async def checked_addresses(target: Target, *, private_hosts: tuple[str, ...], resolver: Resolver) -> tuple[str, ...]:
    """Give the addresses of a target, in the order they came, without repeats.

    One address out of bounds refuses them all, so that nothing hangs on which one is tried.
    ``private_hosts`` (``host:port``) may be private or loopback; never link-local, metadata or multicast.

    Raises ``PolicyDeniedError`` for an address out of bounds, ``ToolFailedError`` when there is none.
    """
    if target.is_address:
        found: Sequence[str] = (target.host,)
    else:
        try:
            found = await resolver(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise ToolFailedError(f"{target.host} cannot be resolved", retryable=True) from error
    addresses = tuple(dict.fromkeys(found))[:MAX_ADDRESSES]
    if not addresses:
        raise ToolFailedError(f"{target.host} has no address")
    internal = is_private_host(target, private_hosts)
    for address in addresses:
        reason = blocked(address)
        if reason is not None and not (internal and reason in _INTERNAL):
            raise PolicyDeniedError(
                f"{target.host} is at {address}, which no fetch may reach: {reason}",
                hint="tools.web.allowed_private_hosts names internal hosts that may be reached",
            )
    return addresses


def is_private_host(target: Target, private_hosts: tuple[str, ...]) -> bool:
    """Tell whether a target is named, with its port, among the internal hosts that may be reached."""
    for entry in private_hosts:
        name, port = split_host(entry)
        if port == str(target.port) and host_name(name) == target.host:
            return True
    return False
