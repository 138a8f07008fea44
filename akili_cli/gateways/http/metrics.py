"""Counts and times every request, whoever answered it: a route, or the guards before all routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from akili_cli.domain.clock import Clock
from akili_cli.gateways.http.templates import Templates

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BROKEN = "0"
"""The status of a request that was never answered."""


class Numbers(Protocol):
    """Where numbers are kept: ``adapters.telemetry.metrics.Metrics``."""

    def add(self, name: str, labels: Mapping[str, str] | None = None, amount: float = 1.0) -> None:
        """Count up."""

    def took(self, name: str, seconds: float, labels: Mapping[str, str] | None = None) -> None:
        """Note how long something took."""

    def move(self, name: str, by: float) -> None:
        """Move a gauge."""


@dataclass(frozen=True, slots=True)
class RequestMetrics:
    """An ASGI application around another one. A stream counts as under way until it ends."""

    app: ASGIApp
    numbers: Numbers
    templates: Templates
    clock: Clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, began = BROKEN, self.clock.monotonic()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        self.numbers.move("akili_active_requests", 1)
        try:
            await self.app(scope, receive, noted)
        finally:
            self.numbers.move("akili_active_requests", -1)
            method = scope["method"] if scope["method"] in METHODS else "other"
            labels = {"method": method, "path": self.templates.of(scope["path"])}
            self.numbers.add("akili_http_requests", {**labels, "status_code": status})
            self.numbers.took("akili_http_request_duration_seconds", self.clock.monotonic() - began, labels)
