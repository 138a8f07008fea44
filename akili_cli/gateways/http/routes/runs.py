"""``/v1/runs``: the questions there were, what came of them, and what is happening now."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from akili_cli.features.queries.model import Query
from akili_cli.gateways.http import watching
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import Desk, desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.pages import PAGE_HEADERS, Page, page_of
from akili_cli.gateways.http.sse import EventStream

SHOWN = 2000
"""Characters of a message that a list shows."""

router = APIRouter(prefix="/v1/runs", tags=["runs"])
Who = Annotated[Caller, Depends(caller)]


class RunLine(BaseModel):
    """One question in a list; ``status`` is ``running`` while it is being answered."""

    id: str
    user_id: str
    source: str
    status: str
    message: str
    conversation_id: str | None
    correlation_id: str
    created_at: str
    finished_at: str | None
    error: str | None
    cost_usd: float | None
    stopped_by: str | None


class RunDetails(RunLine):
    """One question with what came of it, or with what it has done so far and waits for."""

    run: dict[str, Any] | None = Field(description="schema akili.run/1; null while it is being answered")
    steps: list[dict[str, Any]] = Field(description="calls so far, as far as this node knows them")
    approvals: list[dict[str, Any]] = Field(description="the whole card of every call that waits for a person")


@router.get(
    "",
    operation_id="list_runs",
    summary="List the newest runs of one's own; an admin sees everybody's",
    response_model=list[RunLine],
    responses={200: {"headers": PAGE_HEADERS}, **problems(400)},
)
async def runs(
    request: Request, who: Who, page: Annotated[Page, Depends(page_of)], status: Literal["open"] | None = None
) -> Response:
    """Give a page."""
    desk = desk_of(request)
    found = await desk.queries.list(who.principal, open_only=status == "open", before=page.before, limit=page.limit + 1)
    return page.answer(found, lambda one: (one.created_at, one.id), lambda one: _line(desk, one, SHOWN))


@router.get(
    "/{run_id}", operation_id="get_run", summary="Give one run", response_model=RunDetails, responses=problems(404)
)
async def run(request: Request, run_id: str, who: Who) -> dict[str, object]:
    """Give it whole."""
    desk = desk_of(request)
    query = await desk.queries.get(run_id, who.principal)
    return await _details(desk, query)


@router.get(
    "/{run_id}/events",
    operation_id="follow_run",
    summary="Read what a run does as server-sent events, from the beginning or from after Last-Event-ID",
    status_code=200,
    response_class=EventStream,
    responses=problems(400, 404),
)
async def events(
    request: Request,
    run_id: str,
    who: Who,
    last_event_id: Annotated[int, Header(ge=0, le=2**53)] = 0,
) -> EventStream:
    """Follow it; it goes on whoever reads."""
    desk = desk_of(request)
    query = await desk.queries.get(run_id, who.principal)
    return EventStream(watching.stream(desk, query, who.principal, last_event_id))


@router.post(
    "/{run_id}/stop",
    operation_id="stop_run",
    summary="End a run; one that has ended stays as it is",
    status_code=202,
    response_model=RunDetails,
    responses=problems(404),
)
async def stop(request: Request, run_id: str, who: Who) -> dict[str, object]:
    """Ask for its end; the node that answers it sees to it within a second."""
    desk = desk_of(request)
    return await _details(desk, await desk.queries.stop(run_id, who.principal))


def _line(desk: Desk, query: Query, chars: int | None = None) -> dict[str, object]:
    line = query.as_dict()
    return {**line, "message": desk.redactor.text(str(line["message"])[:chars])}


async def _details(desk: Desk, query: Query) -> dict[str, object]:
    if query.ended:
        run = query.outcome()
        return {**_line(desk, query), "run": run, "steps": run["steps"], "approvals": []}
    done = [dict(event.data) for event in desk.live.events(query.id) if event.name == "tool.result"]
    return {**_line(desk, query), "run": None, "steps": done, "approvals": await watching.waiting(desk, query)}
