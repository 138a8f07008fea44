"""The page for Prometheus: there only when it is switched on, and then open to whoever can reach it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_router(path: str, exposition: Callable[[], Awaitable[bytes]]) -> APIRouter:
    """Give the one route; it is no part of the documented API."""
    router = APIRouter(include_in_schema=False)

    @router.get(path)
    async def metrics() -> Response:
        return Response(await exposition(), media_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})

    return router
