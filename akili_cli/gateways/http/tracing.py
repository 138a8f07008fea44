"""Shows every request as a span, below the trace that it brought along."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from akili_cli.domain.ports import Tracer
from akili_cli.gateways.http.metrics import METHODS
from akili_cli.gateways.http.templates import Templates

_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class RequestTracing:
    """An ASGI application around another one."""

    app: ASGIApp
    tracer: Tracer
    templates: Templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "other"
        attributes = {"http.request.method": method, "http.route": self.templates.of(scope["path"])}
        parent = Headers(scope=scope).get("traceparent", "")
        with self.tracer.span("http.request", attributes, kind="server", parent=parent) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status, headers = message["status"], Headers(raw=message.get("headers", []))
                    span.set({"http.response.status_code": status})
                    if "x-request-id" in headers:
                        span.set({"akili.correlation_id": headers["x-request-id"]})
                    if status >= _SERVER_ERROR:
                        span.fail(str(status))
                await send(message)

            await self.app(scope, receive, noted)
