"""``/v1/budget``: what was spent today, what is held, what is left."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from akili_cli.domain.errors import PolicyDeniedError
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import desk_of
from akili_cli.gateways.http.documented import problems

router = APIRouter(tags=["budget"])


class Level(BaseModel):
    """The organisation's day, or one run; ``limit_usd`` null is no limit."""

    name: str
    limit_usd: float | None
    spent_usd: float
    reserved_usd: float
    remaining_usd: float | None
    max_tokens: int | None
    parent: str | None
    spent_tokens: int
    reserved_tokens: int


class Day(BaseModel):
    """One user's day (UTC) so far, with the runs of it, newest first."""

    user: str
    day: str
    limit_usd: float
    spent_usd: float
    reserved_usd: float
    remaining_usd: float
    spent_tokens: int
    reserved_tokens: int
    organisation: Level | None
    runs: list[Level]


@router.get(
    "/v1/budget",
    operation_id="get_budget",
    summary="Show one's own day; an admin sees anybody's, and the organisation's",
    response_model=Day,
    responses=problems(400, 403),
)
async def budget(
    request: Request,
    who: Annotated[Caller, Depends(caller)],
    user: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> dict[str, Any]:
    """Give the day."""
    desk, is_admin = desk_of(request), desk_of(request).is_admin(who.principal)
    if user not in (None, who.principal.user) and not is_admin:
        raise PolicyDeniedError("only an admin sees what others spent", hint="leave user out")
    name, ledger = user or who.principal.user, desk.pipeline.ledger
    told = (await ledger.tree(name)).as_dict(await ledger.status(name))
    return told if is_admin else {**told, "organisation": None}
