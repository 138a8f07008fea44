from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from akili_cli.core.tools.builtin.web_fetch import WebFetch, WebFetchArgs
from akili_cli.core.tools.settings import WebToolSettings
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError, PolicyDeniedError
from akili_cli.domain.risk import Risk
from tests.fakes.permits import permit_for
from tests.fakes.web import WebServer, response, web_server


async def loopback(_host: str, _port: int) -> Sequence[str]:
    return ("127.0.0.1",)


def tool_for(web: WebServer, **settings: object) -> WebFetch:
    limits = {"allowed_private_hosts": (f"web.test:{web.port}",), "timeout_seconds": 5, **settings}
    return WebFetch(WebToolSettings.model_validate(limits), resolver=loopback)


async def fetched(web: WebServer, path: str = "/", method: str = "GET", **settings: object) -> ToolOutput:
    tool = tool_for(web, **settings)
    args = WebFetchArgs.model_validate({"url": f"http://web.test:{web.port}{path}", "method": method})
    return await tool.run(args, permit_for(tool.effects(args), tool="web_fetch"))


async def test_a_page_is_text_from_outside() -> None:
    async with web_server(lambda _: response(b"<script>x</script>", Content_Type="text/html")) as web:
        output = await fetched(web)
    assert output.ok
    assert output.text == "<script>x</script>"
    assert output.untrusted == "web web.test"
    assert output.metadata == {"status_code": 200, "url": f"http://web.test:{web.port}/", "truncated": False}


def test_it_looks_and_changes_nothing() -> None:
    tool = WebFetch(WebToolSettings())
    assert (tool.name, tool.permission, tool.risk) == ("web_fetch", "web_search", Risk.LOW)
    assert tool.read_only
    assert tool.idempotent
    assert tool.effects(WebFetchArgs(url="HTTPS://Bücher.DE/x")) == Effects(hosts=("xn--bcher-kva.de:443",))
    assert tool.effects(WebFetchArgs(url="http://a.de/")).hosts == ("a.de:80", "a.de:443")
    assert not tool.effects(WebFetchArgs(url="http://[2600::1]/")).changes


@pytest.mark.parametrize("url", ["ftp://x/", "http://a@b/", "http://2130706433/", "/etc/passwd"])
def test_what_is_no_url_has_no_effects(url: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        WebFetch(WebToolSettings()).effects(WebFetchArgs(url=url))


@pytest.mark.parametrize(
    "arguments",
    [{}, {"url": ""}, {"url": 5}, {"url": "http://x", "method": "POST"}, {"url": "http://x", "headers": {}}],
)
def test_other_arguments_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WebFetchArgs.model_validate(arguments)


@pytest.mark.parametrize(("status", "ok"), [(200, True), (204, True), (304, True), (404, False), (500, False)])
async def test_the_status_tells_success(status: int, ok: bool) -> None:
    async with web_server(lambda _: response(b"" if status in (204, 304) else b"why", status)) as web:
        output = await fetched(web)
    assert output.ok is ok
    assert output.metadata["status_code"] == status
    assert output.text == ("" if status in (204, 304) else "why" if ok else f"HTTP {status}\nwhy")


async def test_head_gives_the_headers() -> None:
    async with web_server(lambda _: response(X_Name="y")) as web:
        output = await fetched(web, method="HEAD")
    assert output.text == "HTTP 200\nx-name: y"


async def test_redirects_and_truncation_are_told() -> None:
    def answer(head: str) -> bytes:
        return response(status=302, Location="/b") if head.startswith("GET /a") else response(b"x" * 50)

    async with web_server(answer) as web:
        output = await fetched(web, "/a", max_response_bytes=10)
    assert output.text == "x" * 10
    assert output.metadata["truncated"] is True
    assert output.metadata["url"] == f"http://web.test:{web.port}/b"
    assert output.metadata["redirects"] == [f"http://web.test:{web.port}/a"]


@pytest.mark.parametrize(
    ("raw", "kind", "text"),
    [
        ("grün".encode(), "text/plain", "grün"),
        ("grün".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grün"),
        ("grün".encode("utf-16"), 'text/plain; charset="utf-16"', "grün"),
        (b"a\xffb", "text/plain", "a\ufffdb"),
        (b"abc", "text/plain; charset=rot13", "abc"),
        (b"abc", "text/plain; charset=zip", "abc"),
        (b"abc", "text/plain; charset=cp99999", "abc"),
        (b"\0\1\2", "image/png; x=y", "(3 bytes that are not text, image/png)"),
        (b"\0", "", "(1 bytes that are not text, no content type)"),
    ],
)
async def test_the_text_is_decoded_by_a_known_charset(raw: bytes, kind: str, text: str) -> None:
    async with web_server(lambda _: response(raw, Content_Type=kind)) as web:
        assert (await fetched(web)).text == text


async def test_a_server_that_fails_is_a_failed_call() -> None:
    async with web_server(lambda _: b"garbage") as web:
        output = await fetched(web)
    assert not output.ok
    assert output.untrusted == "web web.test"


async def test_a_private_address_is_refused() -> None:
    async with web_server(lambda _: response()) as web:
        with pytest.raises(PolicyDeniedError):
            await fetched(web, allowed_private_hosts=[], allowed_ports=[web.port])
        with pytest.raises(PolicyDeniedError, match="port"):
            await fetched(web, allowed_private_hosts=[])
    assert web.requests == []


async def test_nothing_runs_without_the_right_permit() -> None:
    async with web_server(lambda _: response()) as web:
        tool = tool_for(web)
        args = WebFetchArgs(url=f"http://web.test:{web.port}/")
        for hosts in ((), (f"other.test:{web.port}",), ("web.test",)):
            with pytest.raises(PolicyDeniedError):
                await tool.run(args, permit_for(Effects(hosts=hosts)))
    assert web.requests == []
