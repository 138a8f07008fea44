from __future__ import annotations

import pytest

from akili_cli.adapters.net.client import api_client, load_httpx
from tests.fakes.web import response, web_server


async def test_one_service_is_called_without_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with web_server(lambda _: response(b"up")) as web, web_server(lambda _: response(b"proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with api_client(f"http://127.0.0.1:{web.port}", timeout_s=5, headers={"X": "y"}) as client:
            answer = await client.get("/health")
    assert answer.text == "up"
    assert "x: y" in web.requests[0].lower()
    assert proxy.requests == []


async def test_redirects_are_not_followed() -> None:
    async with (
        web_server(lambda _: response(status=302, Location="/x")) as web,
        api_client(f"http://127.0.0.1:{web.port}", timeout_s=5) as client,
    ):
        assert (await client.get("/")).status_code == 302
    assert len(web.requests) == 1


def test_the_library_is_loaded_once() -> None:
    assert load_httpx() is load_httpx()
