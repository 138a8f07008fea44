"""``/v1/heartbeats``: recurring tasks that stand in Markdown files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from akili_cli.domain.errors import NotFoundError, PolicyDeniedError, UnavailableError
from akili_cli.features.heartbeats.model import KIND, HeartbeatTask, TaskSpec, spec_dict
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import Desk, desk_of
from akili_cli.gateways.http.documented import problems

router = APIRouter(prefix="/v1/heartbeats", tags=["heartbeats"])
Who = Annotated[Caller, Depends(caller)]
Known = tuple[TaskSpec, HeartbeatTask | None]


class Triggered(BaseModel):
    """A run that has begun."""

    id: str
    status: str


@router.get(
    "",
    operation_id="list_heartbeats",
    summary="List the tasks in the files that run as oneself; an admin sees all",
    response_model=list[dict[str, Any]],
    responses=problems(),
)
async def heartbeats(request: Request, who: Who) -> list[dict[str, Any]]:
    """List them."""
    desk = desk_of(request)
    found = await desk.heartbeats.reader.overview()
    return [_told(desk, one) for one in found.tasks if _is_seen(desk, one, who)]


@router.get(
    "/{task}",
    operation_id="get_heartbeat",
    summary="Give one task: what its file says now, and what became of it so far",
    response_model=dict[str, Any],
    responses=problems(404),
)
async def heartbeat(request: Request, task: str, who: Who) -> dict[str, Any]:
    """Give it."""
    desk = desk_of(request)
    return _told(desk, await _one(desk, task, who))


@router.get(
    "/{task}/history",
    operation_id="get_heartbeat_history",
    summary="Give the newest results of a task",
    response_model=list[dict[str, Any]],
    responses=problems(400, 404),
)
async def history(
    request: Request, task: str, who: Who, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> list[dict[str, object]]:
    """Give them."""
    desk = desk_of(request)
    _, stored = await _one(desk, task, who)
    if stored is None:
        return []
    return [one.as_dict() for one in await desk.heartbeats.reader.history(stored.id, limit)]


@router.post(
    "/{task}/run",
    operation_id="run_heartbeat",
    summary="Run a task now as oneself, without its precheck and cap; for admins",
    status_code=202,
    response_model=Triggered,
    responses=problems(403, 404, 409),
)
async def run(request: Request, task: str, who: Who) -> Response:
    """Begin it."""
    desk = desk_of(request)
    if KIND not in desk.kinds:
        raise UnavailableError("this gateway runs no heartbeat tasks", hint="set heartbeat_tasks.enabled: true")
    spec, _ = await _one(desk, task, who)
    if not desk.is_admin(who.principal):
        raise PolicyDeniedError("only an admin runs a task at will", hint="or run `akili heartbeats run`")
    await desk.heartbeats.sync(who.principal)
    job = await desk.heartbeats.to_trigger("/".join(spec.key))
    fire = await desk.trigger(job, KIND, who.principal.user)
    return JSONResponse({"id": fire.id, "status": "running"}, 202)


async def _one(desk: Desk, typed: str, who: Caller) -> Known:
    """Find a task of one's own (an admin: any) by its name or its whole id; raises ``NotFoundError``."""
    known = [one for one in (await desk.heartbeats.reader.overview()).tasks if _is_seen(desk, one, who)]
    for one in known:
        spec, stored = one
        if typed in (spec.name, "/".join(spec.key)) or (stored is not None and typed == stored.id):
            return one
    raise NotFoundError(f"there is no task {typed[:80]!r}", hint="GET /v1/heartbeats lists what you may see")


def _is_seen(desk: Desk, one: Known, who: Caller) -> bool:
    return desk.is_admin(who.principal) or _user(desk, one) == who.principal.user


def _user(desk: Desk, one: Known) -> str:
    return one[0].user or desk.heartbeats.default_user


def _told(desk: Desk, one: Known) -> dict[str, Any]:
    spec, stored = one
    return {**({} if stored is None else stored.as_dict()), **spec_dict(spec), "user_id": _user(desk, one)}
