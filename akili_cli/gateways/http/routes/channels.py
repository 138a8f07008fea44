"""``/v1/notification-channels``: places of one's own that messages go to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from akili_cli.domain.errors import InvalidBodyError
from akili_cli.features.notifications.courier import LEASE_S
from akili_cli.features.notifications.model import Channel, State
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.idempotency import REPLAYED_HEADER, IdempotencyKey
from akili_cli.gateways.http.pages import ETAG_HEADER, PAGE_HEADERS, IfMatch, IfNoneMatch, Page, expected, item, page_of
from akili_cli.gateways.http.routes.alerts import switched_on
from akili_cli.gateways.http.shapes.channels import (
    ChannelChange,
    ChannelItem,
    ChannelTested,
    NewChannel,
    channel_item,
    sent_or_why_not,
)
from akili_cli.gateways.http.shapes.fields import Deleted, ItemId

Who = Annotated[Caller, Depends(caller)]
Paged = Annotated[Page, Depends(page_of)]
Name = Annotated[str | None, Query(min_length=1, max_length=200, description="only the one of this name")]
router = APIRouter(
    prefix="/v1/notification-channels", tags=["notification channels"], dependencies=[Depends(switched_on)]
)


@router.post(
    "",
    operation_id="create_channel",
    summary="Make a channel known",
    status_code=201,
    response_model=ChannelItem,
    responses={201: {"headers": ETAG_HEADER | REPLAYED_HEADER}, **problems(400, 403, 404, 409)},
)
async def create(request: Request, body: NewChannel, who: Who, key: IdempotencyKey = None) -> Response:
    """Make it known, once."""
    desk = desk_of(request)

    async def act() -> Response:
        channel = await desk.channels.add(
            body.name,
            body.channel_type,
            body.config,
            who.principal,
            credential_ref=body.credential_ref or None,
            enabled=body.enabled,
        )
        answer = item(request, channel_item(channel), 201)
        answer.headers["Location"] = f"/v1/notification-channels/{channel.id}"
        return answer

    return await desk.replays.once(request, who, key, body.model_dump(mode="json"), act)


@router.get(
    "",
    operation_id="list_channels",
    summary="List the channels of one's own, newest first; an admin sees everybody's",
    response_model=list[ChannelItem],
    responses={200: {"headers": PAGE_HEADERS}, **problems(400, 404)},
)
async def channels(request: Request, who: Who, page: Paged, name: Name = None) -> Response:
    """Give a page."""
    reader = desk_of(request).channels.mine(who.principal)
    found = await reader.page(name=name, before=page.before, limit=page.limit + 1)
    return page.answer(found, lambda one: (one.created_at, one.id), channel_item)


@router.get(
    "/{channel_id}",
    operation_id="get_channel",
    summary="Give one channel; its credential is never shown",
    response_model=ChannelItem,
    responses={200: {"headers": ETAG_HEADER}, 304: {"description": "not changed"}, **problems(400, 404)},
)
async def channel(request: Request, channel_id: ItemId, who: Who, _known: IfNoneMatch = None) -> Response:
    """Give it."""
    return item(request, channel_item(await desk_of(request).channels.mine(who.principal).by_id(channel_id)))


@router.put(
    "/{channel_id}",
    operation_id="change_channel",
    summary="Change a channel: what is not named stays; it keeps its name",
    response_model=ChannelItem,
    responses={200: {"headers": ETAG_HEADER}, **problems(400, 403, 404, 412)},
)
async def change(
    request: Request, channel_id: ItemId, body: ChannelChange, who: Who, _version: IfMatch = None
) -> Response:
    """Change it."""
    desk, as_expected = desk_of(request), expected(request, channel_item)

    def expects(now: Channel) -> None:
        as_expected(now)
        if body.name and body.name != now.name:
            why = "stays as it is, since jobs and rules name the channel by it; make a new channel instead"
            raise InvalidBodyError("a channel keeps its name", fields=(("name", why),))

    changed = await desk.channels.edit(
        channel_id,
        who.principal,
        kind=body.channel_type or None,
        config=body.config,
        credential_ref=body.credential_ref or None,
        enabled=body.enabled,
        expects=expects,
    )
    return item(request, channel_item(changed))


@router.delete(
    "/{channel_id}",
    operation_id="delete_channel",
    summary="Forget a channel; what was sent to it stays on record",
    response_model=Deleted,
    responses=problems(400, 403, 404, 412),
)
async def delete(request: Request, channel_id: ItemId, who: Who, _version: IfMatch = None) -> Deleted:
    """Forget it."""
    await desk_of(request).channels.remove(channel_id, who.principal, expects=expected(request, channel_item))
    return Deleted()


@router.post(
    "/{channel_id}/test",
    operation_id="test_channel",
    summary="Send the fixed test message now, through policy, approval and audit; 200 also when it was not sent",
    response_model=ChannelTested,
    response_model_exclude_none=True,
    responses=problems(400, 404),
)
async def test(request: Request, channel_id: ItemId, who: Who) -> dict[str, object]:
    """Try it."""
    desk = desk_of(request)
    delivery = await desk.channels.test(channel_id, who.principal, LEASE_S)
    if delivery.state is State.CLAIMED:
        delivery, _step = await desk.outbox.send(delivery)
    return sent_or_why_not(delivery)
