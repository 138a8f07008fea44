"""One request over a connection to addresses that were checked; what the doors that speak HTTP share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

import httpcore

from akili_cli.adapters.net.pinned import MAX_TRIED, PinnedBackend, tls_context
from akili_cli.adapters.net.urls import Target

if TYPE_CHECKING:
    import ssl

default_tls = cache(tls_context)


@asynccontextmanager
async def exchange(
    method: str,
    target: Target,
    headers: Sequence[tuple[bytes, bytes]],
    *,
    addresses: tuple[str, ...],
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
    content: bytes | None = None,
) -> AsyncIterator[httpcore.Response]:
    """Send a request and give the response with its body unread; the connection ends with the block.

    No proxy, cookie, credential or environment variable takes part. Raises what ``httpcore`` raises.
    """
    wait = {"connect": timeout_s / min(len(addresses), MAX_TRIED), "read": timeout_s, "write": timeout_s}
    location = httpcore.URL(
        scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
    )
    async with (
        httpcore.AsyncConnectionPool(
            ssl_context=(tls or default_tls()) if target.scheme == "https" else None,
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=PinnedBackend(addresses),
        ) as pool,
        pool.stream(method, location, headers=headers, content=content, extensions={"timeout": wait}) as response,
    ):
        yield response
