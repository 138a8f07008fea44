"""Fetches a URL that a model or a stranger chose; nothing but the hosts that were allowed is ever reached."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import httpcore

from akili_cli.adapters.net.body import read_body
from akili_cli.adapters.net.exchange import exchange
from akili_cli.adapters.net.resolve import Resolver, checked_addresses, is_private_host, system_resolver
from akili_cli.adapters.net.urls import Target, join_url, parse_url
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import InvalidArgumentsError, PolicyDeniedError, ToolFailedError

Method = Literal["GET", "HEAD"]
USER_AGENT = "Akili/1.0"
MAX_REDIRECTS = 5
MAX_HEADERS = 100
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What a fetch may do; ``allowed_private_hosts`` are ``host:port``."""

    allowed_private_hosts: tuple[str, ...] = ()
    allowed_ports: tuple[int, ...] = (80, 443)
    max_response_bytes: int = 5_242_880
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The last response. ``hops`` are the URLs that were requested, in order; header names are lower-case."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    hops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    truncated: bool = False


async def fetch(
    url: str, *, method: Method, permit: Permit, limits: FetchLimits, resolver: Resolver = system_resolver
) -> FetchResult:
    """Request a URL and follow at most five redirects. For each hop:

    1. The URL is parsed; the host and port must be in the permit, also after a redirect: to go anywhere else
       is another call, on which policy rules again.
    2. The host is resolved once and every address is checked.
    3. The connection goes to a checked address, and its peer is compared with it.

    No proxy, cookie, credential or environment variable takes part. The whole may take ``timeout_s``; the
    body is cut at ``max_response_bytes``, counted after decompression.

    Raises ``InvalidArgumentsError`` for a URL that cannot be fetched, ``PolicyDeniedError`` for a host, port
    or address that is not allowed, ``ToolFailedError`` when the other side fails or takes too long.
    """
    target = parse_url(url)
    if target.authority not in permit.effects.hosts:
        raise PolicyDeniedError(f"the permit does not name {target.authority}")
    try:
        async with asyncio.timeout(limits.timeout_s):
            return await _follow(target, method, permit, limits, resolver)
    except TimeoutError:
        raise ToolFailedError(f"{target.host} did not finish within {limits.timeout_s:g} s", retryable=True) from None


async def _follow(
    target: Target, method: Method, permit: Permit, limits: FetchLimits, resolver: Resolver
) -> FetchResult:
    hops = []
    while True:
        hops.append(target.url)
        check_port(target, limits)
        addresses = await checked_addresses(target, private_hosts=limits.allowed_private_hosts, resolver=resolver)
        answer = await _request(target, method, addresses, limits)
        location = answer.headers.get("location")
        if answer.status not in _REDIRECTS or location is None:
            return FetchResult(answer.status, target.url, answer.headers, answer.body, answer.truncated, tuple(hops))
        if len(hops) > MAX_REDIRECTS:
            raise ToolFailedError(f"{target.host} redirects more than {MAX_REDIRECTS} times")
        target = _next(target, location, permit)


def check_port(target: Target, limits: FetchLimits) -> None:
    """Refuse a port that is not in ``allowed_ports``, unless the host is named with it; ``PolicyDeniedError``."""
    if target.port not in limits.allowed_ports and not is_private_host(target, limits.allowed_private_hosts):
        raise PolicyDeniedError(
            f"port {target.port} is not allowed", hint="tools.web.allowed_ports lists the ports that are"
        )


def _next(base: Target, location: str, permit: Permit) -> Target:
    try:
        target = join_url(base, location)
    except InvalidArgumentsError as error:
        raise PolicyDeniedError(f"{base.host} redirects to what cannot be followed: {error}") from error
    if base.scheme == "https" and target.scheme == "http":
        raise PolicyDeniedError(f"{base.host} redirects from https to http")
    if target.authority not in permit.effects.hosts:
        raise PolicyDeniedError(
            f"{base.host} redirects to {target.url}, which this call may not reach", hint="ask for that URL itself"
        )
    return target


async def _request(target: Target, method: Method, addresses: tuple[str, ...], limits: FetchLimits) -> _Answer:
    headers = [
        (b"Host", target.host_header.encode()),
        (b"User-Agent", USER_AGENT.encode()),
        (b"Accept", b"*/*"),
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    ]
    try:
        async with exchange(method, target, headers, addresses=addresses, timeout_s=limits.timeout_s) as response:
            return await _answer(response, method, limits)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        what = str(error)[:200] or type(error).__name__
        raise ToolFailedError(f"{target.authority} cannot be read: {what}", retryable=True) from error


async def _answer(response: httpcore.Response, method: Method, limits: FetchLimits) -> _Answer:
    headers: dict[str, str] = {}
    for name, value in response.headers[:MAX_HEADERS]:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    if method == "HEAD" or (response.status in _REDIRECTS and "location" in headers):
        return _Answer(response.status, headers)
    body, truncated = await read_body(
        response.aiter_stream(),
        encoding=headers.get("content-encoding", ""),
        max_bytes=limits.max_response_bytes,
    )
    return _Answer(response.status, headers, body, truncated)
