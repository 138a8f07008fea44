"""Makes every HTTP client akili uses. For URLs that a model or a stranger chose, use ``fetch`` instead."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


def load_httpx() -> ModuleType:
    """Import httpx without its command line, which would pull in click, rich and pygments (40 ms, 5 MB)."""
    if "httpx" not in sys.modules:
        stub = ModuleType("httpx._main")
        stub.main = lambda: None  # type: ignore[attr-defined]
        sys.modules.setdefault("httpx._main", stub)
    import httpx

    return httpx


def api_client(base_url: str, *, timeout_s: float, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """Give a client for one service that the operator configured; no proxy and no netrc from the environment.

    Plain-HTTP services get no TLS context: building one costs 18 ms.
    """
    client: httpx.AsyncClient = load_httpx().AsyncClient(
        base_url=base_url,
        timeout=timeout_s,
        headers=headers or {},
        trust_env=False,
        follow_redirects=False,
        verify=not base_url.startswith("http://"),
    )
    return client
