"""What every request passes before any route: identity, limits, strict bodies, and headers on every answer.

Nothing here is up to a route, so a new one cannot forget any of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from akili_cli.adapters.telemetry.logs import correlation
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import AkiliError, InvalidBodyError
from akili_cli.domain.ids import new_correlation_id
from akili_cli.gateways.http.auth import KEYLESS, Authenticator
from akili_cli.gateways.http.bodies import BodyReader, is_without_body
from akili_cli.gateways.http.errors import error_response, internal_response
from akili_cli.gateways.http.limits import Buckets, peer_name
from akili_cli.gateways.http.settings import HttpSettings

BODY_TIMEOUT_S = 30.0
STRICT_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DOCS = ("/docs", "/redoc")
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID"
_SHOWN_HEADERS = "X-Request-Id, Retry-After, ETag, Location, Link, X-Next-Cursor, Idempotency-Replayed"
_PREFLIGHT_S = "600"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Answer:
    """How far the answer to one request has come."""

    status: int = 0
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """The application behind its guards. Only HTTP passes (and the server's own lifespan messages)."""

    app: ASGIApp
    authenticator: Authenticator
    limits: Buckets
    settings: HttpSettings
    redactor: Redactor
    clock: Clock
    body_timeout_s: float = BODY_TIMEOUT_S
    new_id: Callable[[], str] = field(default=new_correlation_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request_id = self.new_id()
        token = correlation.set(request_id)
        try:
            await self._serve(
                {**scope, "state": {**scope.get("state", {}), "correlation_id": request_id}}, receive, send
            )
        finally:
            correlation.reset(token)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer, began = _Answer(), self.clock.monotonic()
        dressed = self._dressed(scope, send, answer)
        try:
            await self._guarded(scope, receive, dressed)
        except Exception as error:
            if answer.status or not isinstance(error, AkiliError):
                _log.exception("a request failed")
            if answer.status and not answer.complete:
                raise  # the connection is cut, so that half an answer is not taken for a whole one
            if not answer.status:
                said = error_response(error, self.redactor) if isinstance(error, AkiliError) else None
                await (said or internal_response(self.redactor))(scope, receive, dressed)
        finally:
            took = round(self.clock.monotonic() - began, 4)
            _log.info("%s %s %d", scope["method"], scope["path"][:200], answer.status, extra={"duration_s": took})

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Steps: 1 preflight, 2 no body where none belongs, 3 who it is, 4 how often, 5 the body, 6 the route."""
        headers = Headers(scope=scope)
        if self._is_preflight(scope, headers):
            await Response(status_code=204)(scope, receive, send)
            return
        bodiless = scope["method"] not in ("POST", "PUT", "PATCH")
        if bodiless and not is_without_body(headers):
            raise InvalidBodyError(f"a {scope['method'][:20]} request has no body", hint="leave the body out")
        if scope["path"] == "/v1" or scope["path"].startswith("/v1/"):
            receive = await self._entered(scope, headers, receive, bodiless=bodiless)
        await self.app(scope, receive, send)

    async def _entered(self, scope: Scope, headers: Headers, receive: Receive, *, bodiless: bool) -> Receive:
        peer = scope["client"][0] if scope.get("client") else ""
        if KEYLESS.fullmatch(scope["path"]):
            self.limits.take(f"peer {peer_name(peer)}")
            return await self._body(headers, receive, bodiless=bodiless)
        given = headers.getlist("authorization")
        found = await self.authenticator.authenticate(given[0] if len(given) == 1 else None, peer)
        scope["state"]["caller"] = found
        self.limits.take(f"user {found.principal.user}")
        return await self._body(headers, receive, bodiless=bodiless)

    async def _body(self, headers: Headers, receive: Receive, *, bodiless: bool) -> Receive:
        if bodiless:
            return receive
        return await BodyReader(self.settings.max_request_size_bytes, self.body_timeout_s).read(headers, receive)

    def _is_preflight(self, scope: Scope, headers: Headers) -> bool:
        asked = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        return asked and headers.get("origin") in self.settings.cors_origins

    def _dressed(self, scope: Scope, send: Send, answer: _Answer) -> Send:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                self._put_headers(scope, MutableHeaders(scope=message))
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                answer.complete = True
            await send(message)

        return dressed

    def _put_headers(self, scope: Scope, out: MutableHeaders) -> None:
        path = scope["path"]
        out["X-Request-Id"] = scope["state"]["correlation_id"]
        out["X-Content-Type-Options"] = "nosniff"
        out["Referrer-Policy"] = "no-referrer"
        out.setdefault("Content-Security-Policy", DOCS_POLICY if path.startswith(_DOCS) else STRICT_POLICY)
        if path.startswith("/v1"):
            out["Cache-Control"] = "no-store"
        if self.settings.cors_origins:
            out.add_vary_header("Origin")
            self._allow_origin(scope, out)

    def _allow_origin(self, scope: Scope, out: MutableHeaders) -> None:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin not in self.settings.cors_origins:
            return
        out["Access-Control-Allow-Origin"] = str(origin)
        if self._is_preflight(scope, headers):
            out["Access-Control-Allow-Methods"] = _METHODS
            out["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
            out["Access-Control-Max-Age"] = _PREFLIGHT_S
        else:
            out["Access-Control-Expose-Headers"] = _SHOWN_HEADERS
