"""Knocks at a host the permit names: an HTTP answer, a TCP connection or a certificate, and nothing is read further."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpcore

from akili_cli.adapters.net.exchange import default_tls, exchange
from akili_cli.adapters.net.outgoing import SYSTEM_WIRE, Wire
from akili_cli.adapters.net.pinned import MAX_TRIED, PinnedBackend
from akili_cli.adapters.net.post import failure
from akili_cli.adapters.net.resolve import checked_addresses
from akili_cli.adapters.net.urls import Target, parse_url
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import PolicyDeniedError, ToolFailedError

USER_AGENT = "Akili-HealthCheck/1.0"


async def probe_http(
    url: str, *, permit: Permit, private_hosts: tuple[str, ...], timeout_s: float, wire: Wire = SYSTEM_WIRE
) -> int:
    """Give the status a GET is answered with; redirects are not followed, the body is not read.

    Host and port must be in the permit; the host is resolved once, every address is checked, and the connection goes
    to a checked one. The whole may take ``timeout_s``. Raises ``InvalidArgumentsError`` for what is no URL,
    ``PolicyDeniedError`` for a host or address that is not allowed, ``ToolFailedError`` when there is no answer.
    """
    target = parse_url(url)
    headers = [
        (b"Host", target.host_header.encode()),
        (b"User-Agent", USER_AGENT.encode()),
        (b"Accept", b"*/*"),
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    ]
    async with (
        _reached(target, permit, private_hosts, timeout_s, wire) as addresses,
        exchange("GET", target, headers, addresses=addresses, timeout_s=timeout_s, tls=wire.tls) as response,
    ):
        return response.status


async def probe_tcp(
    authority: str, *, permit: Permit, private_hosts: tuple[str, ...], timeout_s: float, wire: Wire = SYSTEM_WIRE
) -> None:
    """Connect to ``host:port`` and hang up; raises as ``probe_http``."""
    target = parse_url(f"https://{authority}/")
    async with _reached(target, permit, private_hosts, timeout_s, wire) as addresses:
        stream = await _connected(target, addresses, timeout_s)
        await stream.aclose()


async def probe_tls(
    authority: str, *, permit: Permit, private_hosts: tuple[str, ...], timeout_s: float, wire: Wire = SYSTEM_WIRE
) -> float:
    """Give when the certificate of ``host:port`` ends (epoch seconds), after a handshake that verified it.

    Raises as ``probe_http``; a certificate that is not valid for the host is a ``ToolFailedError``, too.
    """
    target = parse_url(f"https://{authority}/")
    async with _reached(target, permit, private_hosts, timeout_s, wire) as addresses:
        plain = await _connected(target, addresses, timeout_s)
        try:
            secure = await plain.start_tls(wire.tls or default_tls(), server_hostname=target.host, timeout=timeout_s)
        except BaseException:
            await plain.aclose()
            raise
        try:
            return _ends_at(secure.get_extra_info("ssl_object"), target)
        finally:
            await secure.aclose()


@asynccontextmanager
async def _reached(
    target: Target, permit: Permit, private_hosts: tuple[str, ...], timeout_s: float, wire: Wire
) -> AsyncIterator[tuple[str, ...]]:
    """Give the addresses that may be connected to, inside the time and with errors said the way doors say them."""
    if target.authority not in permit.effects.hosts:
        raise PolicyDeniedError(f"the permit does not name {target.authority}")
    try:
        async with asyncio.timeout(timeout_s):
            yield await checked_addresses(target, private_hosts=private_hosts, resolver=wire.resolver)
    except TimeoutError:
        raise ToolFailedError(f"{target.authority} did not answer in {timeout_s:g} s", retryable=True) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise failure(error, target.authority) from None


async def _connected(target: Target, addresses: tuple[str, ...], timeout_s: float) -> httpcore.AsyncNetworkStream:
    share = timeout_s / min(len(addresses), MAX_TRIED)
    return await PinnedBackend(addresses).connect_tcp(target.host, target.port, share)


def _ends_at(connection: object, target: Target) -> float:
    certificate = connection.getpeercert() if isinstance(connection, ssl.SSLObject | ssl.SSLSocket) else None
    ends = (certificate or {}).get("notAfter")
    if not isinstance(ends, str):
        raise ToolFailedError(f"{target.authority} showed no certificate")
    return float(ssl.cert_time_to_seconds(ends))
