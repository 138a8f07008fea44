from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from akili_cli.adapters.net import gateway as module
from akili_cli.adapters.net.gateway import TRIES, BrokenStreamError, Frame, Gateway, parse_gateway_url
from akili_cli.domain.errors import AkiliError, NotFoundError, UnauthorizedError, UnavailableError, UsageError
from tests.fakes.clock import FakeClock
from tests.fakes.gateway_server import GatewayServer, Played, answer, done, frame, gateway_server, started, stream, text

KEY = "ak_0123456789abcdefSECRET"
LINES = [
    line.split(" -> ")
    for line in (Path(__file__).parents[3] / "security/corpora/gateway_answers.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def gateway(server: GatewayServer, clock: FakeClock | None = None, path: str = "") -> Gateway:
    return Gateway(server.url + path, KEY, clock=clock or FakeClock())


async def asked(server: GatewayServer, clock: FakeClock | None = None) -> list[Frame]:
    return [one async for one in gateway(server, clock).ask({"message": "m"})]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://akili.example.com/", "https://akili.example.com"),
        (" https://akili.example.com/ops/ ", "https://akili.example.com/ops"),
        ("HTTPS://[::1]:99", "https://[::1]:99"),
    ],
)
def test_an_address_is_kept_with_what_stands_before_every_path(text: str, shown: str) -> None:
    assert parse_gateway_url(text).url == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:8080",
        "ws://localhost:8080",
        "file:///etc/passwd",
        "http://",
        "http://user:pw@host",
        "http://host:99999",
        "http://host?x=1",
        "http://host/#x",
        "http://ho st",
        "http://host\r\nX-Evil: 1",
        "http://0x7f.1",
    ],
)
def test_what_is_no_address_of_a_gateway_is_usage(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_gateway_url(text)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX-Evil: 1", "schl\u00fcssel", "x" * 501, "a\x00"])
def test_a_key_that_could_not_be_sent_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(UsageError) as raised:
        Gateway("http://localhost", key, clock=FakeClock())
    assert not key or key not in str(raised.value) + raised.value.hint


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://localhost:1", False),
        ("http://127.0.0.1:1", False),
        ("http://127.9.9.9", False),
        ("http://[::1]", False),
        ("https://akili.example.com", False),
        ("http://akili.example.com", True),
        ("http://10.0.0.1", True),
        ("http://localhost.evil.example", True),
        ("http://0.0.0.0", True),
    ],
)
def test_a_key_that_can_be_read_on_its_way_is_known(url: str, clear: bool) -> None:
    assert Gateway(url, KEY, clock=FakeClock()).in_the_clear is clear


async def test_a_path_and_its_query_go_below_the_address_with_the_key() -> None:
    async with gateway_server([answer([{"id": 1}])]) as server:
        got = await gateway(server, path="/ops").get("/v1/audit", {"limit": 5, "user": "a&b", "tool": None})
        (request,) = server.requests
    assert got == [{"id": 1}]
    assert (request.method, request.path) == ("GET", "/ops/v1/audit?limit=5&user=a%26b")
    assert request.headers["authorization"] == f"Bearer {KEY}"


async def test_a_body_is_json() -> None:
    async with gateway_server([answer({}, 201)]) as server:
        assert await gateway(server).post("/v1/approve", {"decision": "deny"}) == {}
        (request,) = server.requests
    assert (request.headers["content-type"], request.json) == ("application/json", {"decision": "deny"})


async def test_no_proxy_of_the_environment_takes_part(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with gateway_server([answer([])]) as server:
        assert await gateway(server).get("/v1/runs") == []


async def test_a_gateway_that_is_not_there_is_unavailable() -> None:
    async with gateway_server([answer({})]) as server:
        gone = gateway(server)
    with pytest.raises(UnavailableError, match="cannot be reached") as raised:
        await gone.get("/v1/runs")
    assert raised.value.exit_code == 3


async def test_a_key_that_comes_back_is_in_no_error() -> None:
    said = {"error": f"bad key {KEY}", "hint": f"Bearer {KEY}", "fields": [{"field": KEY, "problem": KEY}]}
    async with gateway_server([answer(said, 401)]) as server:
        with pytest.raises(UnauthorizedError) as raised:
            await gateway(server).get("/v1/runs")
    assert KEY not in str(raised.value) + raised.value.hint
    assert "bad key ***" in str(raised.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_is_followed_so_the_key_goes_nowhere_else(status: int) -> None:
    async with (
        gateway_server([answer({})]) as other,
        gateway_server([answer(b"", status, Location=f"{other.url}/v1/runs")]) as server,
    ):
        with pytest.raises(AkiliError, match="redirect"):
            await gateway(server).get("/v1/runs")
        with pytest.raises(AkiliError, match="redirect"):
            await asked(server)
        assert other.requests == []


@pytest.mark.parametrize(("name", "expected"), LINES, ids=[line[0] for line in LINES])
async def test_an_answer_that_no_gateway_gives_is_an_error_in_words(name: str, expected: str) -> None:
    code, said = expected.split(": ", 1)
    async with gateway_server([HOSTILE[name]]) as server:
        with pytest.raises(AkiliError) as raised:
            await gateway(server).get("/v1/runs")
    assert (raised.value.code, raised.value.exit_code) == (code, raised.value.exit_code)
    assert said in str(raised.value)
    assert KEY not in str(raised.value) + raised.value.hint


HOSTILE: dict[str, Played] = {
    "html": answer(b"<html>login</html>", Content_Type="text/html"),
    "html-502": answer(b"<html>Bad Gateway</html>", 502, Content_Type="text/html"),
    "cut-json": answer(b'{"a": '),
    "deep-json": answer(b"[" * 200_000),
    "empty": answer(b""),
    "gzip-bomb": answer(gzip.compress(b"0" * 1_000_000), Content_Encoding="gzip"),
    "nothing": b"",
    "no-http": b"220 mail.example ESMTP\r\n",
    "echo-header": lambda one: answer(b"", 500, X_Echo=one.headers["authorization"]),
    "echo-body": lambda one: answer({"error": one.headers["authorization"], "code": "x", "hint": ""}, 403),
    "control": answer({"error": "\x1b[2Jgone", "code": "x", "hint": "\x07"}, 409),
    "no-shape-403": answer([1, 2], 403),
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "half": answer(b"[1, 2, 3]", Content_Length="900"),
}


def test_every_hostile_answer_has_a_line_of_its_own() -> None:
    assert {line[0] for line in LINES} == set(HOSTILE)


async def test_no_more_of_an_answer_is_held_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1000)
    async with gateway_server([answer(b" " * 2000)]) as server:
        with pytest.raises(AkiliError, match="answered with more than"):
            await gateway(server).get("/v1/runs")


async def test_a_question_streams_to_its_end() -> None:
    async with gateway_server([stream(started(), b": ping\n\n", text(2, "hi"), done(3))]) as server:
        found = await asked(server)
        (request,) = server.requests
    assert [(one.number, one.name) for one in found] == [(1, "run_started"), (2, "text"), (3, "done")]
    assert (request.path, request.headers["accept"]) == ("/v1/query/stream", "text/event-stream")


async def test_a_line_of_a_mebibyte_is_read_whole() -> None:
    words = "x" * 1_048_576
    async with gateway_server([stream(started(), text(2, words), done(3))]) as server:
        assert (await asked(server))[1].data["text"] == words


async def test_a_cut_stream_goes_on_where_it_was_and_the_question_is_posted_once() -> None:
    clock = FakeClock()
    answers = [
        stream(started(), text(2, "a"), whole=False),
        stream(text(3, "b"), b"id: 4\ndata: {", whole=False),
        b"",
        stream(text(3, "b"), text(4, "c"), done(5)),
    ]
    async with gateway_server(answers) as server:
        found = await asked(server, clock)
        requests = [(one.method, one.path, one.headers.get("last-event-id")) for one in server.requests]
    assert [one.number for one in found] == [1, 2, 3, 4, 5]
    again = ("GET", "/v1/runs/r-1/events")
    assert requests == [("POST", "/v1/query/stream", None), (*again, "2"), (*again, "3"), (*again, "3")]


async def test_an_error_whose_end_was_lost_comes_again_with_it() -> None:
    failed = frame(2, "error", {"event": "run.finished", "content": "no"})
    answers = [stream(started(), text(2, "a"), failed, whole=False), stream(failed, done(3, status="failed"))]
    async with gateway_server(answers) as server:
        assert [one.name for one in await asked(server)] == ["run_started", "text", "error", "error", "done"]


async def test_a_stream_that_is_cut_for_ever_is_given_up_in_bounds() -> None:
    async with gateway_server([stream(started(), whole=False), b""]) as server:
        with pytest.raises(BrokenStreamError) as raised:
            await asked(server)
        assert len(server.requests) == 2 + TRIES
    assert "GET /v1/runs/r-1" in raised.value.hint
    assert raised.value.exit_code == 1


async def test_a_run_that_is_gone_when_its_stream_is_taken_up_again_is_not_tried_for_ever() -> None:
    async with gateway_server([stream(started(), whole=False), answer({"error": "no run"}, 404)]) as server:
        with pytest.raises(NotFoundError, match="no run"):
            await asked(server)
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "played",
    [stream(), b"", stream(b": ping\n\n", whole=False), stream(text(1, "x"), whole=False)],
    ids=["ended", "nothing", "cut", "nameless"],
)
async def test_a_question_whose_run_is_not_known_is_never_posted_again(played: bytes) -> None:
    async with gateway_server([played]) as server:
        with pytest.raises(BrokenStreamError, match="before the run's id was known"):
            await asked(server)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "played",
    [
        answer({"a": 1}),
        answer(b"<html>", Content_Type="text/html"),
        stream(b"data: [1]\n\n"),
        stream(b"data: {\n\n"),
        stream(b"<html>\n"),
    ],
    ids=["json", "html", "list", "half", "html stream"],
)
async def test_what_is_no_event_stream_of_a_gateway_is_an_error(played: bytes) -> None:
    async with gateway_server([played]) as server:
        with pytest.raises(AkiliError):
            await asked(server)
        assert len(server.requests) == 1


async def test_a_key_in_a_frame_is_hidden() -> None:
    async with gateway_server([stream(started(), text(2, f"key {KEY}"), done(3))]) as server:
        told: list[Any] = [one.data for one in await asked(server)]
    assert KEY not in json.dumps(told)


async def test_a_run_id_is_one_part_of_a_path_whatever_it_holds() -> None:
    async with gateway_server([stream(done(1))]) as server:
        assert [one.name async for one in gateway(server).follow("../x?y#z")] == ["done"]
        assert server.requests[0].path == "/v1/runs/..%2Fx%3Fy%23z/events"


async def test_a_key_that_is_an_ordinary_word_breaks_no_answer() -> None:
    async with gateway_server([answer({"key": 1, "true": True})]) as server:
        assert await Gateway(server.url, "true", clock=FakeClock()).get("/v1/runs") == {"key": 1, "true": True}


async def test_rows_are_read_page_by_page_up_to_the_limit() -> None:
    pages = [answer([{"n": 1}, {"n": 2}], X_Next_Cursor="a"), answer([{"n": 3}], X_Next_Cursor="b"), answer([])]
    async with gateway_server(pages) as server:
        assert await gateway(server).rows("/v1/audit", {"user": "ada"}, 9) == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert [one.path.partition("?")[2] for one in server.requests] == [
            "user=ada&limit=9",
            "user=ada&limit=7&cursor=a",
            "user=ada&limit=6&cursor=b",
        ]


@pytest.mark.parametrize("body", [{"a": 1}, [1], "x", None], ids=str)
async def test_rows_that_are_none_are_an_error(body: object) -> None:
    async with gateway_server([answer(body)]) as server:
        with pytest.raises(AkiliError, match="no list"):
            await gateway(server).rows("/v1/audit")
