"""Whether the process lives, and whether it can do its work; neither asks for a key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from akili_cli.features.health.model import Readiness
from akili_cli.gateways.http.documented import problems

_NO_STORE = {"Cache-Control": "no-store"}


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Checked(BaseModel):
    """How one check went; ``message`` is there when it failed."""

    status: Literal["ok", "fail"]
    message: str | None = None


class Ready(BaseModel):
    """How the node is, and each part of it."""

    status: Literal["ok", "degraded"]
    checks: dict[str, Checked]


def health_router(readiness: Callable[[], Awaitable[Readiness]]) -> APIRouter:
    """Give the routes; ``/v1/healthz`` is for callers that want to try their key."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", operation_id="get_healthz", summary="Tell that the process answers", response_model=Alive)
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    @router.get(
        "/v1/healthz",
        operation_id="get_v1_healthz",
        summary="Tell that the process answers and the key is good",
        response_model=Alive,
        responses=problems(),
    )
    async def v1_healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    @router.get(
        "/readyz",
        operation_id="get_readyz",
        summary="Tell whether database, engine, sandbox, audit and ticker work",
        response_model=Ready,
        responses={503: {"model": Ready, "description": "something does not work; `checks` says what"}},
    )
    async def readyz() -> JSONResponse:
        found = await readiness()
        return JSONResponse(found.as_dict(), status_code=200 if found.ok else 503, headers=_NO_STORE)

    return router
