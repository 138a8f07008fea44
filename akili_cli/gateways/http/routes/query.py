"""``/v1/query``: a question, and its answer at once or as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.responses import Response

from akili_cli.domain.calls import Status
from akili_cli.domain.errors import (
    AkiliError,
    BudgetExceededError,
    ModelError,
    NotFoundError,
    PolicyDeniedError,
    RunFailedError,
    RunInterruptedError,
    RunTimeoutError,
    UnavailableError,
)
from akili_cli.features.queries.model import Query, QueryDraft
from akili_cli.gateways.http import sse, watching
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import Desk, desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.errors import error_response
from akili_cli.gateways.http.sse import EventStream

router = APIRouter(tags=["queries"])
_EXAMPLE = {"message": "Is this host healthy?"}
_FAILED: dict[Status, type[AkiliError]] = {
    Status.DENIED: PolicyDeniedError,
    Status.BUDGET_EXCEEDED: BudgetExceededError,
    Status.TIMEOUT: RunTimeoutError,
    Status.INTERRUPTED: RunInterruptedError,
}


class StreamDraft(QueryDraft):
    """A question, and what becomes of its run when the reader of the stream leaves."""

    on_disconnect: Literal["continue", "stop"] = "continue"

    def question(self) -> QueryDraft:
        """Give the question alone."""
        return QueryDraft.model_validate(self.model_dump(exclude={"on_disconnect"}))


class Answered(BaseModel):
    """A run that has ended well."""

    message: str
    correlation_id: str
    conversation_id: str | None
    run_id: str
    tokens_used: int | None = Field(None, description="input and output tokens; left out when 0")
    run: dict[str, Any] = Field(description="the object of `akili query --json` (schema akili.run/1)")


class Waiting(BaseModel):
    """A run that waits for a person; it goes on once somebody ruled, and ``GET /v1/runs/{id}`` tells the rest."""

    approval_id: str
    action: str
    tool: str
    risk_level: str
    message: str
    correlation_id: str
    conversation_id: str | None
    run_id: str
    approvals: list[dict[str, Any]] = Field(description="the whole card of every call that waits")


@router.post(
    "/v1/query",
    operation_id="ask",
    summary="Ask a question and wait for the answer, or for the first call that a person must approve",
    response_model=Answered,
    response_model_exclude_none=True,
    responses={202: {"model": Waiting}, **problems(400, 402, 403, 404, 409, 429, 502, 503, 504)},
    openapi_extra={"requestBody": {"content": {"application/json": {"example": _EXAMPLE}}}},
)
async def ask(request: Request, draft: QueryDraft, who: Annotated[Caller, Depends(caller)]) -> Response:
    """Answer."""
    desk = desk_of(request)
    query = await _begun(desk, draft, who, request)
    query, cards = await watching.answer_or_approval(desk, query, who.principal)
    return _answered(desk, query) if query.ended else _waiting(query, cards)


@router.post(
    "/v1/query/stream",
    operation_id="ask_streaming",
    summary="Ask a question and read what happens, as server-sent events",
    status_code=200,
    response_class=EventStream,
    responses=problems(400, 403, 404, 409, 429),
    openapi_extra={"requestBody": {"content": {"application/json": {"example": _EXAMPLE}}}},
)
async def ask_streaming(request: Request, draft: StreamDraft, who: Annotated[Caller, Depends(caller)]) -> Response:
    """Answer as it comes."""
    desk = desk_of(request)
    if not desk.settings.sse:
        raise NotFoundError("streaming is off here", hint="set gateways.http.sse: true")
    query = await _begun(desk, draft.question(), who, request)

    async def stop() -> None:
        await asyncio.shield(asyncio.ensure_future(desk.queries.stop(query.id, who.principal)))

    gone = stop if draft.on_disconnect == "stop" else None
    return EventStream(watching.stream(desk, query, who.principal), gone)


async def _begun(desk: Desk, draft: QueryDraft, who: Caller, request: Request) -> Query:
    if draft.runbook is not None:
        desk.runbooks.player(draft.runbook, draft.inputs)  # refuses here what could not be played
    return await desk.queries.ask(draft, who.principal, request.state.correlation_id)


def _answered(desk: Desk, query: Query) -> Response:
    run = query.outcome()
    status = Status(str(run["status"]))
    ids = {"run_id": query.id, "conversation_id": query.conversation_id}
    if status not in sse.GOOD:
        kind = ModelError if query.failure == ModelError.code else _FAILED.get(status, RunFailedError)
        more = {**ids, "run": run}
        return error_response(kind(sse.why(run)), desk.redactor, correlation_id=query.correlation_id, more=more)
    tokens = sse.tokens_of(run)
    used = {"tokens_used": tokens} if tokens else {}
    told = {"message": run["answer"], "correlation_id": query.correlation_id, **ids, **used, "run": run}
    return JSONResponse(told)


def _waiting(query: Query, cards: list[Mapping[str, object]]) -> Response:
    if not cards:
        raise UnavailableError(
            "the gateway stops; the answer goes on elsewhere", hint=f"GET /v1/runs/{query.id}", retryable=True
        )
    ids = {"correlation_id": query.correlation_id, "conversation_id": query.conversation_id, "run_id": query.id}
    return JSONResponse({**sse.approval(cards[0]), **ids, "approvals": cards}, 202)
