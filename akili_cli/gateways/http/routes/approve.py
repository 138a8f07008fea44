"""``/v1/approve``: the ruling on what waits for a human."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from akili_cli.domain.calls import Status
from akili_cli.domain.errors import AkiliError, BudgetExceededError, PolicyDeniedError, ToolFailedError, UsageError
from akili_cli.gateways.http import rulings
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import Desk, desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.errors import error_response

router = APIRouter(tags=["approvals"])
Who = Annotated[Caller, Depends(caller)]
_EXAMPLE = {"approval_id": "0f8fad5bd9cb469fa16570867728950e", "decision": "approve"}
_FAILED: dict[Status, type[AkiliError]] = {
    Status.DENIED: PolicyDeniedError,
    Status.BUDGET_EXCEEDED: BudgetExceededError,
}
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class Feedback(BaseModel):
    """Words that go back to the model with a denial."""

    model_config = _STRICT

    feedback: str = Field("", max_length=2000)


class Change(Feedback):
    """An approval, of the call as it is or with some of its arguments changed first."""

    arguments: dict[str, Any] | None = Field(None, description="replace these of the call; policy rules anew")


class Ruling(Change):
    """A ruling on one held call."""

    approval_id: str = Field(max_length=64)
    decision: Literal["approve", "deny"]


class Ruled(BaseModel):
    """What came of a ruling. ``success`` null: the run has not told yet what came of the call; it goes on."""

    approval_id: str
    status: Literal["approved", "denied", "pending"]
    run_id: str
    output: str | None = None
    success: bool | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


_RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {"model": Ruled, "description": "one more person must approve; nothing ran yet"},
    **problems(400, 402, 403, 404, 409, 410),
}


@router.post(
    "/v1/approve",
    operation_id="rule",
    summary="Approve a held call, which then runs exactly once, or deny it",
    response_model=Ruled,
    response_model_exclude_unset=True,
    responses=_RESPONSES,
    openapi_extra={"requestBody": {"content": {"application/json": {"example": _EXAMPLE}}}},
)
async def rule(request: Request, ruling: Ruling, who: Who) -> Response:
    """Rule."""
    if ruling.decision == "approve":
        return await _approve(desk_of(request), ruling.approval_id, ruling.arguments, who)
    if ruling.arguments is not None:
        raise UsageError("arguments go with an approval", hint="leave them out of a denial")
    return await _deny(desk_of(request), ruling.approval_id, ruling.feedback, who)


@router.post(
    "/v1/approvals/{approval_id}/approve",
    operation_id="approve",
    summary="Approve a held call, as it is or with changed arguments",
    response_model=Ruled,
    response_model_exclude_unset=True,
    responses=_RESPONSES,
)
async def approve(request: Request, approval_id: str, who: Who, change: Change | None = None) -> Response:
    """Approve."""
    return await _approve(desk_of(request), approval_id, None if change is None else change.arguments, who)


@router.post(
    "/v1/approvals/{approval_id}/deny",
    operation_id="deny",
    summary="Deny a held call; nothing runs",
    response_model=Ruled,
    response_model_exclude_unset=True,
    responses=problems(400, 403, 404, 409, 410),
)
async def deny(request: Request, approval_id: str, who: Who, words: Feedback | None = None) -> Response:
    """Deny."""
    return await _deny(desk_of(request), approval_id, "" if words is None else words.feedback, who)


async def _approve(desk: Desk, approval_id: str, arguments: dict[str, Any] | None, who: Caller) -> Response:
    before = await rulings.seen(desk, approval_id, who.principal)
    if arguments:
        done = await rulings.edit(desk, approval_id, arguments, who.principal)
    else:
        done = await rulings.approve(desk, approval_id, who.principal)
    told: dict[str, object] = {"approval_id": done.approval_id or approval_id, "run_id": before.run_id}
    if done.status is None:
        return JSONResponse({**told, "status": "approved", "output": None, "success": None, "metadata": {}})
    told |= {"output": desk.redactor.text(done.text), "metadata": desk.redactor.value(dict(done.metadata))}
    if done.status is Status.APPROVAL_REQUIRED:
        return JSONResponse({**told, "status": "pending", "success": None}, 202)
    told |= {"status": "approved", "success": done.status is Status.OK}
    if done.status is not Status.OK:
        error = _FAILED.get(done.status, ToolFailedError)(done.text or f"the call ended as {done.status}")
        return error_response(error, desk.redactor, more=told)
    return JSONResponse(told)


async def _deny(desk: Desk, approval_id: str, feedback: str, who: Caller) -> Response:
    denied = await rulings.deny(desk, approval_id, who.principal, feedback)
    return JSONResponse({"approval_id": denied.id, "status": "denied", "run_id": denied.run_id})
