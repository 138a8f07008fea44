"""``/v1/approvals``: what waits for a human, and what waited."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from akili_cli.core.approvals.model import Approval, ApprovalStatus
from akili_cli.core.execution.cards import whole_card
from akili_cli.gateways.http import rulings
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import Desk, desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.pages import PAGE_HEADERS, Page, item, page_of

router = APIRouter(tags=["approvals"])
Who = Annotated[Caller, Depends(caller)]


@router.get(
    "/v1/approvals",
    operation_id="list_approvals",
    summary="List one's own requests and those one may rule on, newest first, each with its whole card",
    response_model=list[dict[str, Any]],
    responses={200: {"headers": PAGE_HEADERS}, **problems(400)},
)
async def approvals(
    request: Request, who: Who, page: Annotated[Page, Depends(page_of)], status: ApprovalStatus | None = None
) -> Response:
    """Give a page."""
    desk = desk_of(request)
    found = await desk.pipeline.approvals.seen_by(who.principal, status, before=page.before, limit=page.limit + 1)
    cards = {one.id: await _card(desk, one) for one in found[: page.limit]}
    return page.answer(found, lambda one: (one.created_at, one.id), lambda one: cards[one.id])


@router.get(
    "/v1/approvals/{approval_id}",
    operation_id="get_approval",
    summary="Give the whole card of one request",
    response_model=dict[str, Any],
    responses=problems(404),
)
async def approval(request: Request, approval_id: str, who: Who) -> Response:
    """Give it."""
    desk = desk_of(request)
    return item(request, await _card(desk, await rulings.seen(desk, approval_id, who.principal)))


async def _card(desk: Desk, found: Approval) -> dict[str, object]:
    card = await whole_card(found, desk.pipeline.approvals.place.layers, desk.pipeline.ledger)
    more = {"run_id": found.run_id, "conversation_id": found.conversation_id, "waits": found.waits}
    return {**card, **more}
