"""How the API describes itself: OpenAPI 3.1 and its pages, with nothing loaded from elsewhere."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel

from akili_cli import __version__
from akili_cli.gateways.http.auth import KEYLESS

DESCRIPTION = (
    "Every request under /v1 carries `Authorization: Bearer <key>`; a key is made with `akili keys create`. "
    "Everything that goes wrong is answered in one shape, `Problem`. A caller sees and changes only what is theirs; "
    "somebody else's id is answered like an unknown one."
)
_WHEN = {
    400: "the body, the query or a header does not fit; `fields` names where",
    401: "nobody knows the key",
    402: "the budget does not cover it",
    403: "the caller may not",
    404: "there is no such thing, or it is somebody else's",
    405: "there is no such method here",
    408: "the body did not arrive in time",
    409: "the present state does not allow it",
    410: "it is too late",
    412: "it was changed meanwhile",
    413: "the body is too large",
    415: "the body is not JSON",
    422: "the same Idempotency-Key was used for something else",
    429: "too many requests, or as much is under way as may be",
    500: "something went wrong here; the gateway's log says more under the correlation id",
    501: "this version has the place for it and not the thing",
    502: "the model's provider failed",
    503: "the gateway, or what it needs, is not there now",
    504: "it took longer than it may",
}
ALWAYS = (401, 429, 500, 503)
_OF_BODIES = (408, 413, 415)
_JSON, _EVENTS = "application/json", "text/event-stream"
_PROBLEM: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}


class FieldProblem(BaseModel):
    """What is wrong at one place of a request."""

    field: str
    problem: str


class Problem(BaseModel):
    """The one shape of everything that goes wrong."""

    error: str
    code: str
    hint: str
    correlation_id: str
    fields: list[FieldProblem] | None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Give what a route documents of these statuses and of those that any route can answer."""
    return {one: {"model": Problem, "description": _WHEN[one]} for one in sorted({*statuses, *ALWAYS})}


def documented(*, pages: bool) -> FastAPI:
    """Give an application without routes; with ``pages`` it serves /openapi.json, /docs and /redoc."""
    told: dict[str, Any] = {"title": "akili", "version": __version__, "description": DESCRIPTION}
    told["redirect_slashes"] = False  # a redirect would go wherever the Host header says
    if not pages:
        return FastAPI(**told, docs_url=None, redoc_url=None, openapi_url=None)
    app = FastAPIOffline(**told)
    app.openapi = lambda: _schema(app)  # type: ignore[method-assign]  # the way that the framework names
    return app


def _schema(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemes = schema.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["key"] = {"type": "http", "scheme": "bearer"}
        for path, methods in schema["paths"].items():
            for operation in methods.values():
                _finish(operation, guarded=path.startswith("/v1/"))
                if path.startswith("/v1/") and not KEYLESS.fullmatch(path):
                    operation["security"] = [{"key": []}]
        app.openapi_schema = schema
    return app.openapi_schema


def _finish(operation: dict[str, Any], *, guarded: bool) -> None:
    """Say of an operation what the edge may answer in its place, and that every problem is JSON.

    Of an event stream nothing is said by a schema: that could only speak of it as one text.
    """
    responses = operation["responses"]
    responses.pop("422", None)  # bodies that do not fit are answered 400
    if guarded:
        for status in (400, *(_OF_BODIES if "requestBody" in operation else ())):
            responses.setdefault(str(status), {"description": _WHEN[status], "content": {_JSON: _PROBLEM}})
    for status, response in responses.items():
        content = response.get("content", {})
        if _EVENTS in content:
            response["content"] = {_EVENTS: {}} if status == "200" else {_JSON: _PROBLEM}
