from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from akili_cli.gateways.http.templates import Templates
from akili_cli.gateways.http.tracing import RequestTracing
from tests.fakes.tracing import RememberedSpan, RememberingTracer

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def asked(path: str, *headers: tuple[bytes, bytes]) -> RememberedSpan:
    async def job(request: Request) -> PlainTextResponse:
        status = int(request.path_params["id"])
        return PlainTextResponse("the private text", status, headers={"X-Request-Id": "c" * 16})

    app, tracer = Starlette(routes=[Route("/jobs/{id}", job)]), RememberingTracer()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b"a=b", "root_path": ""}
    await RequestTracing(app, tracer, Templates(app.routes))(scope, receive, send)
    return tracer.one("http.request")


async def test_a_request_is_a_span_with_its_template_status_and_id() -> None:
    span = await asked("/jobs/200")
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/jobs/{id}",
        "http.response.status_code": 200,
        "akili.correlation_id": "c" * 16,
    }
    assert (span.kind, span.parent, span.failed) == ("server", "", "")


async def test_the_trace_that_a_request_brings_is_its_parent() -> None:
    assert (await asked("/jobs/200", (b"traceparent", PARENT.encode()))).parent == PARENT


async def test_a_fault_of_ours_marks_it_and_a_fault_of_theirs_does_not() -> None:
    assert (await asked("/jobs/503")).failed == "503"
    assert (await asked("/jobs/404")).failed == ""
