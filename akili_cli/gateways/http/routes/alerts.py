"""``/v1/alerts``: rules of one's own that watch a target, and what their checks found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from akili_cli.domain.errors import InvalidBodyError, NotFoundError
from akili_cli.features.alerts.model import AlertRule
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import Desk, desk_of
from akili_cli.gateways.http.documented import problems
from akili_cli.gateways.http.idempotency import REPLAYED_HEADER, IdempotencyKey
from akili_cli.gateways.http.pages import ETAG_HEADER, PAGE_HEADERS, IfMatch, IfNoneMatch, Page, expected, item, page_of
from akili_cli.gateways.http.shapes.alerts import (
    AlertChange,
    AlertCheck,
    AlertItem,
    AlertTested,
    Mute,
    NewAlert,
    check_line,
    found_now,
    rule_item,
)
from akili_cli.gateways.http.shapes.fields import Deleted, ItemId

Who = Annotated[Caller, Depends(caller)]
Paged = Annotated[Page, Depends(page_of)]
Name = Annotated[str | None, Query(min_length=1, max_length=200, description="only the one of this name")]


def switched_on(request: Request) -> None:
    """Raise ``NotFoundError`` where nobody would be told."""
    if not desk_of(request).channels.settings.enabled:
        raise NotFoundError("notifications are switched off here", hint="set notification.enabled: true")


router = APIRouter(prefix="/v1/alerts", tags=["alerts"], dependencies=[Depends(switched_on)])


@router.post(
    "",
    operation_id="create_alert",
    summary="Make a rule; its checks run as the caller",
    status_code=201,
    response_model=AlertItem,
    responses={201: {"headers": ETAG_HEADER | REPLAYED_HEADER}, **problems(400, 403, 404, 409)},
)
async def create(request: Request, body: NewAlert, who: Who, key: IdempotencyKey = None) -> Response:
    """Make it, once."""
    desk = desk_of(request)

    async def act() -> Response:
        rule = await desk.alerts.add(body.draft(), who.principal)
        answer = item(request, (await _shower(desk))(rule), 201)
        answer.headers["Location"] = f"/v1/alerts/{rule.id}"
        return answer

    return await desk.replays.once(request, who, key, body.model_dump(mode="json"), act)


@router.get(
    "",
    operation_id="list_alerts",
    summary="List the rules of one's own, newest first; an admin sees everybody's",
    response_model=list[AlertItem],
    responses={200: {"headers": PAGE_HEADERS}, **problems(400, 404)},
)
async def rules(request: Request, who: Who, page: Paged, name: Name = None) -> Response:
    """Give a page."""
    desk = desk_of(request)
    found = await desk.alerts.mine(who.principal).page(name=name, before=page.before, limit=page.limit + 1)
    return page.answer(found, lambda rule: (rule.created_at, rule.id), await _shower(desk))


@router.get(
    "/{rule_id}",
    operation_id="get_alert",
    summary="Give one rule",
    response_model=AlertItem,
    responses={200: {"headers": ETAG_HEADER}, 304: {"description": "not changed"}, **problems(400, 404)},
)
async def rule(request: Request, rule_id: ItemId, who: Who, _known: IfNoneMatch = None) -> Response:
    """Give it."""
    desk = desk_of(request)
    found = await desk.alerts.mine(who.principal).by_id(rule_id)
    return item(request, (await _shower(desk))(found))


@router.put(
    "/{rule_id}",
    operation_id="change_alert",
    summary="Change a rule: what is not named stays; its checks keep running as whoever made it",
    response_model=AlertItem,
    responses={200: {"headers": ETAG_HEADER}, **problems(400, 403, 404, 409, 412)},
)
async def change(request: Request, rule_id: ItemId, body: AlertChange, who: Who, _version: IfMatch = None) -> Response:
    """Change it."""
    desk = desk_of(request)
    show = await _shower(desk)
    changed = await desk.alerts.edit(rule_id, body.changes(), who.principal, expects=expected(request, show))
    return item(request, show(changed))


@router.delete(
    "/{rule_id}",
    operation_id="delete_alert",
    summary="Forget a rule; its history stays on record",
    response_model=Deleted,
    responses=problems(400, 403, 404, 412),
)
async def delete(request: Request, rule_id: ItemId, who: Who, _version: IfMatch = None) -> Deleted:
    """Forget it."""
    desk = desk_of(request)
    await desk.alerts.remove(rule_id, who.principal, expects=expected(request, await _shower(desk)))
    return Deleted()


@router.post(
    "/{rule_id}/test",
    operation_id="test_alert",
    summary="Check now, as the caller; nothing is changed and nobody is told",
    response_model=AlertTested,
    responses=problems(400, 403, 404),
)
async def test(request: Request, rule_id: ItemId, who: Who) -> dict[str, object]:
    """Look once."""
    desk = desk_of(request)
    found = await desk.alerts.to_test(rule_id, who.principal)
    return found_now(await desk.checker.check(found.check, who.principal, since=found.created_at))


@router.post(
    "/{rule_id}/mute",
    operation_id="mute_alert",
    summary="Let a rule say nothing for a while; it goes on checking",
    response_model=AlertItem,
    responses=problems(400, 403, 404),
)
async def mute(request: Request, rule_id: ItemId, body: Mute, who: Who) -> Response:
    """Mute it."""
    desk = desk_of(request)
    try:
        until = desk.clock.now() + body.seconds()
    except ValueError as error:
        raise InvalidBodyError("the duration does not fit", fields=(("duration", str(error)),)) from error
    return item(request, (await _shower(desk))(await desk.alerts.mute(rule_id, until, who.principal)))


@router.delete(
    "/{rule_id}/mute",
    operation_id="unmute_alert",
    summary="Let a rule speak again",
    response_model=AlertItem,
    responses=problems(400, 403, 404),
)
async def unmute(request: Request, rule_id: ItemId, who: Who) -> Response:
    """End its silence."""
    desk = desk_of(request)
    return item(request, (await _shower(desk))(await desk.alerts.mute(rule_id, None, who.principal)))


@router.get(
    "/{rule_id}/history",
    operation_id="list_alert_checks",
    summary="List the checks of a rule, newest first",
    response_model=list[AlertCheck],
    responses={200: {"headers": PAGE_HEADERS}, **problems(400, 404)},
)
async def history(request: Request, rule_id: ItemId, who: Who, page: Paged) -> Response:
    """Give a page."""
    desk = desk_of(request)
    found = await desk.alerts.mine(who.principal).checks(rule_id, before=page.before, limit=page.limit + 1)
    ids = await _channel_ids(desk)
    not_sent = await desk.channels.reader.not_sent([sent for one in found for sent in one.deliveries])
    return page.answer(found, lambda one: (one.created_at, one.id), lambda one: check_line(one, ids, not_sent))


async def _channel_ids(desk: Desk) -> dict[str, str]:
    return {one.name: one.id for one in await desk.channels.reader.channels()}


async def _shower(desk: Desk) -> Callable[[AlertRule], dict[str, object]]:
    ids = await _channel_ids(desk)
    return lambda found: rule_item(found, ids)
