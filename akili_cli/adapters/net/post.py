"""Posts one request to a host the permit names; addresses are checked as for a fetch, redirects are not followed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

import httpcore

from akili_cli.adapters.net.body import read_body
from akili_cli.adapters.net.exchange import exchange
from akili_cli.adapters.net.fetch import MAX_HEADERS, FetchLimits, check_port
from akili_cli.adapters.net.outgoing import SYSTEM_WIRE, Post, Posted, Wire
from akili_cli.adapters.net.resolve import checked_addresses
from akili_cli.adapters.net.urls import Target, parse_url
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import InvalidArgumentsError, PolicyDeniedError, ToolFailedError

MAX_ANSWER_BYTES = 65_536


async def post(
    request: Post,
    *,
    permit: Permit,
    private_hosts: tuple[str, ...],
    allowed_ports: tuple[int, ...],
    timeout_s: float,
    wire: Wire = SYSTEM_WIRE,
) -> Posted:
    """Send a POST request; any status is an answer.

    1. Host and port must be in the permit. 2. The host is resolved once and every address is checked. 3. The
    connection goes to a checked address. No proxy, cookie or variable takes part. The whole may take
    ``timeout_s``. ``wire`` replaces how names are resolved and who is trusted.

    Raises ``InvalidArgumentsError`` for what cannot be sent, ``PolicyDeniedError`` for a host, port or address that
    is not allowed, ``ToolFailedError`` when the other side fails, ``retryable`` unless its certificate is to blame.
    No error shows the URL, a header or the body.
    """
    limits = FetchLimits(private_hosts, allowed_ports, MAX_ANSWER_BYTES, timeout_s)
    target = parse_url(request.url)
    _check_headers(request.headers)
    if target.authority not in permit.effects.hosts:
        raise PolicyDeniedError(f"the permit does not name {target.authority}")
    check_port(target, limits)
    try:
        async with asyncio.timeout(limits.timeout_s):
            addresses = await checked_addresses(target, private_hosts=private_hosts, resolver=wire.resolver)
            return await _send(request, target, addresses, limits, wire.tls)
    except TimeoutError:
        raise ToolFailedError(f"{target.authority} did not answer in {limits.timeout_s:g} s", retryable=True) from None


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise InvalidArgumentsError(f"the header {name} holds a character that cannot be sent")


async def _send(
    request: Post, target: Target, addresses: tuple[str, ...], limits: FetchLimits, tls: ssl.SSLContext | None
) -> Posted:
    fixed = {"Host": target.host_header, "Accept-Encoding": "identity", "Connection": "close"}
    fixed["Content-Length"] = str(len(request.body))
    headers = [(name.encode(), value.encode()) for name, value in {**request.headers, **fixed}.items()]
    try:
        async with exchange(
            "POST",
            target,
            headers,
            addresses=addresses,
            timeout_s=limits.timeout_s,
            tls=tls,
            content=request.body,
        ) as response:
            encoding = dict(response.headers).get(b"content-encoding", b"").decode("latin-1")
            body, _ = await read_body(response.aiter_stream(), encoding=encoding, max_bytes=limits.max_response_bytes)
            found: dict[str, str] = {}
            for name, value in response.headers[:MAX_HEADERS]:
                found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
            return Posted(response.status, found, body)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise failure(error, target.authority) from None


def failure(error: BaseException, authority: str) -> ToolFailedError:
    """Say what went wrong with a connection without quoting what was sent; a bad certificate stays bad."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ToolFailedError(f"the certificate of {authority} is not valid: {cause.verify_message}")
        cause = cause.__cause__ or cause.__context__
    return ToolFailedError(f"the connection to {authority} failed: {type(error).__name__}", retryable=True)
