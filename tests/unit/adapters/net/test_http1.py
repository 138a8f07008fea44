from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from akili_cli.adapters.net.http1 import CutError, NotReachedError, Waits, exchange
from akili_cli.adapters.net.urls import Target
from tests.fakes.certificates import authority
from tests.fakes.gateway_server import GatewayServer, Played, answer, gateway_server
from tests.fakes.web import response, web_server

WAITS = Waits(5.0, 5.0, 5.0)


async def got(server: GatewayServer, waits: Waits = WAITS, method: str = "GET") -> tuple[int, bytes]:
    target = Target("http", "127.0.0.1", server.port, "/x")
    async with exchange(method, target, (("X-One", "1"),), waits=waits, content=b"{}" * (method == "POST")) as one:
        return one.status, b"".join([piece async for piece in one.pieces()])


async def test_a_request_says_what_it_must_and_nothing_more() -> None:
    async with gateway_server([answer({})]) as server:
        assert await got(server, method="POST") == (200, b"{}")
        (asked,) = server.requests
    assert asked.headers == {
        "x-one": "1",
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": "2",
    }
    assert asked.body == b"{}"


async def test_an_interim_answer_is_waited_past() -> None:
    async with gateway_server([b"HTTP/1.1 103 Early\r\n\r\n" + answer([1])]) as server:
        assert await got(server) == (200, b"[1]")


@pytest.mark.parametrize(
    ("played", "what"),
    [
        (b"", "ended before there was an answer|ended in the middle"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "no HTTP"),
        (answer(b"x" * 100)[:-50], "ended in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "ended in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc", "no HTTP"),
    ],
    ids=["nothing", "ssh", "short", "chunk", "chunk size", "endless head", "two lengths"],
)
async def test_an_answer_that_is_not_whole_http_is_cut(played: Played, what: str) -> None:
    async with gateway_server([played]) as server:
        with pytest.raises(CutError, match=what):
            await got(server)


@pytest.mark.parametrize("played", [None, answer(b"x", Content_Length="5")[:-1]], ids=["head", "body"])
async def test_silence_ends_a_request(played: Played) -> None:
    def kept(_head: str) -> bytes:
        return played if isinstance(played, bytes) else b""

    async with web_server(kept, hang=True) as web:
        target = Target("http", "127.0.0.1", web.port, "/")
        with pytest.raises(CutError, match=r"no answer within 0.1 s|nothing came for 0.1 s"):
            async with exchange("GET", target, (), waits=Waits(5.0, 0.1, 0.1)) as one:
                assert [piece async for piece in one.pieces()]


async def test_a_port_where_nobody_listens_is_not_reached() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = Target("http", "127.0.0.1", taken.getsockname()[1], "/")
        with pytest.raises(NotReachedError, match="Connection refused"):
            async with exchange("GET", target, (), waits=WAITS):
                pass


async def test_a_name_with_several_addresses_of_which_none_answers_is_not_reached() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = Target("http", "localhost", taken.getsockname()[1], "/")
        with pytest.raises(NotReachedError, match="Connection refused"):
            async with exchange("GET", target, (), waits=WAITS):
                pass


async def test_a_certificate_must_be_trusted(tmp_path: Path) -> None:
    own = authority()
    async with web_server(lambda _head: response(b"ok", Content_Length="2"), tls=own.server(tmp_path)) as web:
        target = Target("https", "127.0.0.1", web.port, "/")
        async with exchange("GET", target, (), waits=WAITS, tls=own.trusting()) as one:
            assert one.status == 200
        with pytest.raises(NotReachedError, match="certificate is not valid"):
            async with exchange("GET", target, (), waits=WAITS, tls=ssl.create_default_context()):
                pass
