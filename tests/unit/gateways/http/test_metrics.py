from __future__ import annotations

import contextlib
from collections.abc import Mapping

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from akili_cli.gateways.http.metrics import RequestMetrics
from akili_cli.gateways.http.templates import Templates
from tests.fakes.clock import FakeClock


class Remembered:
    def __init__(self) -> None:
        self.counts: list[dict[str, str]] = []
        self.times: list[float] = []
        self.active = 0.0
        self.most = 0.0

    def add(self, name: str, labels: Mapping[str, str] | None = None, amount: float = 1.0) -> None:
        assert name == "akili_http_requests"
        self.counts.append(dict(labels or {}))

    def took(self, name: str, seconds: float, labels: Mapping[str, str] | None = None) -> None:
        self.times.append(seconds)

    def move(self, name: str, by: float) -> None:
        self.active += by
        self.most = max(self.most, self.active)


async def asked(method: str, path: str) -> tuple[Remembered, list[Message]]:
    clock, numbers, sent = FakeClock(), Remembered(), list[Message]()

    async def job(request: Request) -> PlainTextResponse:
        clock.move(0.5)
        if request.path_params["id"] == "broken":
            raise ZeroDivisionError
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/jobs/{id}", job)])

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "root_path": ""}
    with contextlib.suppress(ZeroDivisionError):
        await RequestMetrics(app, numbers, Templates(app.routes), clock)(scope, receive, send)
    return numbers, sent


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/jobs/1", {"method": "GET", "path": "/jobs/{id}", "status_code": "200"}),
        ("POST", "/jobs/1", {"method": "POST", "path": "/jobs/{id}", "status_code": "405"}),
        ("GET", "/a/b?c", {"method": "GET", "path": "unmatched", "status_code": "404"}),
        ("GET", "/jobs/broken", {"method": "GET", "path": "/jobs/{id}", "status_code": "500"}),
        ("BREW", "/jobs/1", {"method": "other", "path": "/jobs/{id}", "status_code": "405"}),
    ],
)
async def test_a_request_is_counted_once_by_template_and_status(method: str, path: str, labels: dict[str, str]) -> None:
    numbers, sent = await asked(method, path)
    assert numbers.counts == [labels]
    assert len(numbers.times) == 1
    assert (numbers.active, numbers.most) == (0, 1)
    assert sent


async def test_its_time_is_that_of_the_clock() -> None:
    numbers, _ = await asked("GET", "/jobs/1")
    assert numbers.times == [0.5]


async def test_what_is_no_request_passes_uncounted() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    numbers = Remembered()

    async def nothing(*_args: object) -> Message:
        return {}

    await RequestMetrics(app, numbers, Templates([]), FakeClock())({"type": "lifespan"}, nothing, nothing)  # type: ignore[arg-type] # never called
    assert (seen, numbers.counts) == (["lifespan"], [])


async def test_one_that_was_never_answered_has_the_status_0() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ConnectionResetError

    async def nothing(*_args: object) -> Message:
        return {}

    numbers = Remembered()
    with pytest.raises(ConnectionResetError):
        await RequestMetrics(app, numbers, Templates([]), FakeClock())(
            {"type": "http", "method": "GET", "path": "/"},
            nothing,
            nothing,  # type: ignore[arg-type] # never called
        )
    assert (numbers.counts[0]["status_code"], numbers.active) == ("0", 0)
