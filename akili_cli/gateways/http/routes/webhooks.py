"""``/v1/webhooks``: deliveries from outside begin a run that finds out what is wrong. No API key opens these."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import AkiliError, InvalidBodyError
from akili_cli.features.queries.model import Attachment, QueryDraft
from akili_cli.features.webhooks.model import AlertmanagerDelivery, Webhook
from akili_cli.gateways.http.desk import Desk, desk_of
from akili_cli.gateways.http.documented import problems

router = APIRouter(tags=["webhooks"])
_FIELDS = 20
_ALERTMANAGER = {
    "version": "4",
    "status": "firing",
    "alerts": [{"status": "firing", "fingerprint": "c4f1d2e3a5b60718", "labels": {"alertname": "DiskFull"}}],
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": _ALERTMANAGER}},
    },
    "parameters": [
        {
            "name": "X-Akili-Signature",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": 'of kind `signed`: t=<epoch seconds>,v1=<HMAC-SHA256 of "<t>.<body>" in hex>',
        }
    ],
}


class Begun(BaseModel):
    """``run_id`` is the run that looks into it; ``duplicate`` says that it began earlier."""

    run_id: str
    status: str


@router.post(
    "/v1/webhooks/{name}",
    operation_id="deliver",
    summary="Deliver what alertmanager, or anybody who signs, has to report; a run looks into it",
    response_model=Begun,
    status_code=202,
    responses=problems(400, 409, 413, 415),
    openapi_extra=_BODY,
)
async def deliver(request: Request, name: str) -> Response:
    """Take it: 1 is it genuine, 2 what does it say, 3 did it come before, 4 begin."""
    desk, body = desk_of(request), await request.body()
    hook, signature = desk.webhooks.genuine(name, request.headers, body)
    alerts = _alerts(body) if hook.settings.kind == "alertmanager" else ()
    claimed = await desk.webhooks.take(hook, signature, alerts)
    if claimed.run_id is not None:
        return JSONResponse({"run_id": claimed.run_id, "status": "duplicate"}, 202)
    try:
        run_id = await _begin(desk, hook, body, request.state.correlation_id)
    except AkiliError:
        await desk.webhooks.release(hook, claimed)
        raise
    await desk.webhooks.led_to(hook, claimed, run_id)
    return JSONResponse({"run_id": run_id, "status": "running"}, 202)


async def _begin(desk: Desk, hook: Webhook, body: bytes, correlation_id: str) -> str:
    wanted = hook.settings
    draft = QueryDraft(
        message=wanted.goal,
        attachments=(Attachment(label=f"webhook {wanted.name}", text=body.decode()),),
        read_only=wanted.read_only,
    )
    by = Principal(wanted.user, Source.HTTP, org=desk.org)
    return (await desk.queries.ask(draft, by, correlation_id)).id


def _alerts(body: bytes) -> tuple[str, ...]:
    try:
        return AlertmanagerDelivery.model_validate_json(body).marks()
    except ValidationError as error:
        fields = tuple((_place(one["loc"]), str(one["msg"])[:200]) for one in error.errors()[:_FIELDS])
        raise InvalidBodyError("this is no delivery of alertmanager", hint="see `fields`", fields=fields) from None


def _place(path: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in path)[:200]
