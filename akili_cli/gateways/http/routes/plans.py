"""``/v1/plans``: what a run would do, as one list to apply or to refuse."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from akili_cli.core.agent.report import step_dict
from akili_cli.core.approvals.plans import Plan
from akili_cli.domain.calls import Status
from akili_cli.domain.errors import PolicyDeniedError
from akili_cli.gateways.http import rulings
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import Desk, desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.errors import error_response
from akili_cli.gateways.http.pages import item

router = APIRouter(prefix="/v1/plans/{plan_id}", tags=["approvals"])
Who = Annotated[Caller, Depends(caller)]
StepNumber = Annotated[int, Field(ge=1, le=100_000)]


class Choice(BaseModel):
    """Which steps of a plan to apply; all of them when none is named."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    only: tuple[StepNumber, ...] = Field((), max_length=1000, strict=False, examples=[[1, 3]])


class Applied(BaseModel):
    """What came of each step, in order; the first that did not go well is the last."""

    plan: str
    success: bool | None = Field(description="null while one more person must approve")
    steps: list[dict[str, Any]]


@router.get(
    "",
    operation_id="get_plan",
    summary="Give a plan whole",
    response_model=dict[str, Any],
    responses=problems(404),
)
async def plan(request: Request, plan_id: str, who: Who) -> Response:
    """Give it."""
    desk = desk_of(request)
    return item(request, _shown(desk, await rulings.seen_plan(desk, plan_id, who.principal)))


@router.post(
    "/apply",
    operation_id="apply_plan",
    summary="Approve a plan, or some of its steps, and run exactly them, in order",
    response_model=Applied,
    responses={
        202: {"model": Applied, "description": "one more person must approve; nothing ran yet"},
        **problems(400, 403, 404, 409, 410),
    },
)
async def apply(request: Request, plan_id: str, who: Who, choice: Choice | None = None) -> Response:
    """Apply it."""
    desk = desk_of(request)
    done = await rulings.apply(desk, plan_id, who.principal, () if choice is None else choice.only)
    steps = [
        {"step": one.plan_index, "approval_id": one.id, "output": step.text, **step_dict(step)} for one, step in done
    ]
    told = {"plan": plan_id, "success": all(step.status is Status.OK for _, step in done), "steps": steps}
    if all(step.status is Status.APPROVAL_REQUIRED for _, step in done):
        return JSONResponse(desk.redactor.value({**told, "success": None}), 202)
    if not any(one.consumed_at for one, _ in done):
        why = next(step.text for _, step in done if step.status is not Status.OK)
        return error_response(PolicyDeniedError(why), desk.redactor, more=told)
    return JSONResponse(desk.redactor.value(told))


@router.post(
    "/deny",
    operation_id="deny_plan",
    summary="Refuse a plan and every step of it",
    response_model=dict[str, Any],
    responses=problems(403, 404, 409),
)
async def deny(request: Request, plan_id: str, who: Who) -> dict[str, object]:
    """Refuse it."""
    desk = desk_of(request)
    await rulings.seen_plan(desk, plan_id, who.principal)
    return _shown(desk, await desk.pipeline.refuse_plan(plan_id, who.principal))


def _shown(desk: Desk, found: Plan) -> dict[str, object]:
    more = {"user": found.user, "run_id": found.run_id, "conversation_id": found.conversation_id}
    return {**found.as_dict(desk.pipeline.ledger.tool_price), **more, "resolved_by": found.resolved_by}
