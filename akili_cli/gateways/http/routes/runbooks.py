"""``/v1/runbooks``: procedures that run without a model."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from akili_cli.features.queries.model import QueryDraft
from akili_cli.gateways.http import watching
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import desk_of
from akili_cli.gateways.http.documented import problems

router = APIRouter(prefix="/v1/runbooks", tags=["runbooks"])
Who = Annotated[Caller, Depends(caller)]
Value = str | int | float | bool


class RunbookLine(BaseModel):
    """One runbook in a list."""

    name: str
    category: str
    role: str
    risk: str
    steps: int
    description: str


class WholeRunbook(BaseModel):
    """One runbook; ``front_matter`` names its inputs."""

    name: str
    front_matter: dict[str, Any]
    body: str


class Start(BaseModel):
    """How to play it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    inputs: dict[str, Value] = Field(default_factory=dict, max_length=100, examples=[{"unit": "nginx.service"}])
    read_only: bool = False
    max_cost_usd: float | None = Field(None, gt=0, lt=1e9, strict=False)
    timeout_seconds: float = Field(300.0, gt=0, le=86_400, strict=False)


class Started(BaseModel):
    """A run that goes on, or (with ``wait``) has ended: then ``run`` is its akili.run/1 object, however it ended."""

    run_id: str
    status: str
    correlation_id: str
    run: dict[str, Any] | None = None


@router.get(
    "",
    operation_id="list_runbooks",
    summary="List all runbooks",
    response_model=list[RunbookLine],
    responses=problems(),
)
def runbooks(request: Request, _who: Who) -> list[dict[str, object]]:
    """List them; the files are read beside the event loop."""
    return [one.as_line() for one in desk_of(request).runbooks.list()]


@router.get(
    "/{name}",
    operation_id="get_runbook",
    summary="Give one runbook",
    response_model=WholeRunbook,
    responses=problems(404),
)
def runbook(request: Request, name: str, _who: Who) -> dict[str, object]:
    """Give it; the files are read beside the event loop."""
    found = desk_of(request).runbooks.show(name)
    return {"name": found.slug, "front_matter": found.front.model_dump(mode="json"), "body": found.body}


@router.post(
    "/{name}/run",
    operation_id="run_runbook",
    summary="Play a runbook as a run like any other; GET /v1/runs/{id} tells what became of it",
    response_model=Started,
    response_model_exclude_unset=True,
    status_code=202,
    responses={
        200: {"model": Started, "description": "with `wait`: it has ended"},
        **problems(400, 404, 429),
    },
)
async def run(
    request: Request,
    name: str,
    who: Who,
    start: Start | None = None,
    wait: Annotated[bool, Query(description="answer when it has ended, or must wait for a person")] = False,
) -> Response:
    """Play it."""
    desk, given = desk_of(request), start or Start.model_validate({})
    slug = desk.runbooks.show(name).slug
    desk.runbooks.player(slug, given.inputs)  # so that wrong inputs are refused here
    draft = QueryDraft(
        message=f"play the runbook {slug}",
        runbook=slug,
        inputs=given.inputs,
        read_only=given.read_only,
        max_cost_usd=given.max_cost_usd,
        timeout_seconds=given.timeout_seconds,
    )
    query = await desk.queries.ask(draft, who.principal, request.state.correlation_id)
    if wait:
        query, _ = await watching.answer_or_approval(desk, query, who.principal)
    told: dict[str, object] = {"run_id": query.id, "correlation_id": query.correlation_id}
    if query.ended:
        outcome = query.outcome()
        return JSONResponse({**told, "status": outcome["status"], "run": outcome})
    return JSONResponse({**told, "status": "running"}, 202, headers={"Location": f"/v1/runs/{query.id}"})
