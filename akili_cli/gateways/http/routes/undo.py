"""``/v1/undo``: puts files and repositories back as they were before akili changed them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from akili_cli.core.agent.report import step_dict
from akili_cli.core.execution.undoing import undo as undo_entry
from akili_cli.domain.calls import Status
from akili_cli.domain.errors import AkiliError, BudgetExceededError, NotFoundError, PolicyDeniedError, ToolFailedError
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.errors import error_response

router = APIRouter(prefix="/v1/undo", tags=["undo"])
Who = Annotated[Caller, Depends(caller)]
_ID = re.compile(r"[0-9a-f]{16}")
_FAILED: dict[Status, type[AkiliError]] = {
    Status.DENIED: PolicyDeniedError,
    Status.BUDGET_EXCEEDED: BudgetExceededError,
}


class Undone(BaseModel):
    """What came of it; with ``approval_id`` it waits for a person and nothing was done yet."""

    entry: str
    path: str
    status: str
    output: str
    approval_id: str | None = None
    step: dict[str, Any]


@router.get(
    "",
    operation_id="list_undo",
    summary="List what one's own calls changed on this machine and can be undone, newest first",
    response_model=list[dict[str, Any]],
    responses=problems(400),
)
async def entries(request: Request, who: Who, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[dict[str, Any]]:
    """List them."""
    return [one.as_dict() for one in await desk_of(request).journal.listing(who.principal.user, limit)]


@router.post(
    "/{entry_id}",
    operation_id="undo",
    summary="Undo one change, through policy, approval and audit like any other call",
    response_model=Undone,
    responses={
        202: {"model": Undone, "description": "a person must approve first; nothing was done yet"},
        **problems(402, 403, 404, 409),
    },
)
async def undo(request: Request, entry_id: str, who: Who) -> Response:
    """Undo it."""
    desk, me = desk_of(request), who.principal
    if not _ID.fullmatch(entry_id):
        raise NotFoundError(f"there is no undo entry {entry_id[:40]!r} of yours", hint="GET /v1/undo lists them")
    entry = await desk.journal.find(entry_id, me.user)
    step = await undo_entry(desk.pipeline, desk.journal, entry, me, request.state.correlation_id)
    told: dict[str, object] = {"entry": entry.id, "path": entry.path, "status": str(step.status), "output": step.text}
    told |= {"approval_id": step.approval_id, "step": step_dict(step)}
    if step.status in (Status.OK, Status.APPROVAL_REQUIRED):
        return JSONResponse(desk.redactor.value(told), 200 if step.status is Status.OK else 202)
    return error_response(_FAILED.get(step.status, ToolFailedError)(step.text), desk.redactor, more=told)
