from __future__ import annotations

import httpcore
import pytest

from akili_cli.adapters.net.exchange import exchange
from akili_cli.adapters.net.urls import parse_url
from tests.fakes.web import response, web_server


async def test_the_connection_goes_to_the_address_and_the_body_is_left_unread() -> None:
    async with web_server(lambda _head: response(b"x" * 100_000, 200)) as web:
        target = parse_url(f"http://not-a-real-host.example:{web.port}/a?b")
        headers = [(b"Host", b"h")]
        async with exchange("GET", target, headers, addresses=("127.0.0.1",), timeout_s=5.0) as answer:
            assert answer.status == 200
        assert web.requests[0].startswith("GET /a?b HTTP/1.1")


async def test_what_the_network_says_comes_out_as_it_is() -> None:
    target = parse_url("http://localhost:1/")
    with pytest.raises(httpcore.ConnectError):
        async with exchange("GET", target, [(b"Host", b"h")], addresses=("127.0.0.1",), timeout_s=5.0):
            pass
