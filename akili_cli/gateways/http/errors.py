"""The one shape in which everything that goes wrong is answered."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from akili_cli.adapters.telemetry.logs import correlation
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.errors import AkiliError, InvalidBodyError, RateLimitedError, SlowRequestError, UnauthorizedError

MAX_FIELDS = 50
MAX_FIELD_CHARS = 200
INTERNAL_HINT = "the gateway's log says more under this correlation id"
_log = logging.getLogger(__name__)
_WORDS = {404: "not_found", 405: "method_not_allowed"}
_PLACES = frozenset({"body", "query", "path", "header", "cookie"})


def install_errors(app: FastAPI) -> None:
    """Answer every error of an application in the one shape; texts go through ``app.state.desk.redactor``."""
    app.add_exception_handler(AkiliError, _akili)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)


def error_body(error: str, code: str, *, hint: str = "", correlation_id: str = "") -> dict[str, object]:
    """Give what every error says; not yet redacted."""
    return {"error": error, "code": code, "hint": hint, "correlation_id": correlation_id or correlation.get()}


def error_response(
    error: AkiliError, redactor: Redactor, *, correlation_id: str = "", more: Mapping[str, object] | None = None
) -> JSONResponse:
    """Give an error in the one shape, with what a route has to add to it (``run_id`` and the like)."""
    body = error_body(str(error), error.code, hint=error.hint, correlation_id=correlation_id)
    if isinstance(error, InvalidBodyError) and error.fields:
        body["fields"] = [{"field": place, "problem": problem} for place, problem in error.fields]
    return JSONResponse(
        redactor.value({**body, **(more or {})}), status_code=error.http_status, headers=_headers(error)
    )


def internal_response(redactor: Redactor, correlation_id: str = "") -> JSONResponse:
    """Give the answer to what should not have happened; it says nothing about it."""
    return _plain(500, "something went wrong here", "internal", INTERNAL_HINT, redactor, correlation_id)


def _plain(status: int, error: str, code: str, hint: str, redactor: Redactor, correlation_id: str = "") -> JSONResponse:
    body = error_body(error, code, hint=hint, correlation_id=correlation_id)
    return JSONResponse(redactor.value(body), status_code=status)


def _headers(error: AkiliError) -> dict[str, str]:
    match error:
        case UnauthorizedError():
            return {"WWW-Authenticate": "Bearer"}
        case RateLimitedError():
            return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
        case SlowRequestError():
            return {"Connection": "close"}
        case _:
            return {}


def _redactor(request: Request) -> Redactor:
    return cast(Redactor, request.app.state.desk.redactor)


def _id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("correlation_id", ""))


async def _akili(request: Request, error: Exception) -> JSONResponse:
    found = cast(AkiliError, error)
    if found.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("answered %d %s: %s", found.http_status, found.code, found)
    return error_response(found, _redactor(request), correlation_id=_id(request))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    found = cast(RequestValidationError, error).errors()
    fields = tuple((_place(one["loc"]), str(one["msg"])[:MAX_FIELD_CHARS]) for one in found[:MAX_FIELDS])
    names = ", ".join(name for name, _problem in fields[:3])
    said = InvalidBodyError(f"the request does not fit: {names}", hint="see `fields`", fields=fields)
    return error_response(said, _redactor(request), correlation_id=_id(request))


def _place(path: tuple[int | str, ...]) -> str:
    inner = path[1:] if len(path) > 1 and path[0] in _PLACES else path
    return ".".join(str(part) for part in inner)[:MAX_FIELD_CHARS]


async def _http(request: Request, error: Exception) -> JSONResponse:
    found = cast(HTTPException, error)
    code = _WORDS.get(found.status_code, "error")
    hint = "see the list of endpoints in the README" if code != "error" else ""
    said = _plain(found.status_code, str(found.detail).lower(), code, hint, _redactor(request), _id(request))
    said.headers.update(found.headers or {})
    return said


async def _internal(request: Request, _error: Exception) -> JSONResponse:
    """Answer only; the edge, which sees every exception, writes the log."""
    return internal_response(_redactor(request), _id(request))
