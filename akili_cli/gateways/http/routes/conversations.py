"""``/v1/conversations``: what somebody said and was answered; only their own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from akili_cli.domain.errors import ConflictError
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.pages import PAGE_HEADERS, Page, page_of

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])
Who = Annotated[Caller, Depends(caller)]
MAX_OPEN = 1000


class ConversationLine(BaseModel):
    """One conversation in a list; ``messages`` is how many it has."""

    id: str
    user_id: str
    title: str
    created_at: str
    updated_at: str
    messages: int


class Message(BaseModel):
    """One message: ``content`` is its plain text, ``blocks`` all of it, with calls and their results."""

    number: int
    role: str
    content: str
    blocks: list[dict[str, Any]]
    created_at: str


class WholeConversation(BaseModel):
    """One conversation with its newest messages, oldest of them first."""

    conversation: ConversationLine
    messages: list[Message]


class Deleted(BaseModel):
    """It is gone."""

    id: str
    status: str = "deleted"


@router.get(
    "",
    operation_id="list_conversations",
    summary="List one's own conversations, the last changed first",
    response_model=list[ConversationLine],
    responses={200: {"headers": PAGE_HEADERS}, **problems(400)},
)
async def conversations(request: Request, who: Who, page: Annotated[Page, Depends(page_of)]) -> Response:
    """Give a page."""
    found = await desk_of(request).conversations.list(who.principal, before=page.before, limit=page.limit + 1)
    return page.answer(found, lambda one: (one.updated_at, one.id), lambda one: one.as_dict())


@router.get(
    "/{conversation_id}",
    operation_id="get_conversation",
    summary="Give one of one's own conversations with its messages",
    response_model=WholeConversation,
    responses=problems(400, 404),
)
async def conversation(
    request: Request, conversation_id: str, who: Who, limit: Annotated[int, Query(ge=1, le=1000)] = 200
) -> dict[str, object]:
    """Give it."""
    found, messages = await desk_of(request).conversations.show(conversation_id, who.principal, limit=limit)
    return {"conversation": found.as_dict(), "messages": messages}


@router.delete(
    "/{conversation_id}",
    operation_id="delete_conversation",
    summary="Delete one of one's own conversations with all its messages, for the record",
    response_model=Deleted,
    responses=problems(404, 409),
)
async def delete(request: Request, conversation_id: str, who: Who) -> dict[str, object]:
    """Delete it."""
    desk = desk_of(request)
    found, _ = await desk.conversations.show(conversation_id, who.principal, limit=1)
    under_way = await desk.queries.list(who.principal, open_only=True, limit=MAX_OPEN)
    if any(query.conversation_id == found.id for query in under_way):
        raise ConflictError("a message of this conversation is still being answered", hint="stop its run first")
    await desk.conversations.forget(found.id, who.principal)
    return {"id": found.id, "status": "deleted"}
