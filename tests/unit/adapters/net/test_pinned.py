from __future__ import annotations

import ssl

import httpcore
import pytest

from akili_cli.adapters.net.pinned import PinnedBackend, tls_context
from akili_cli.domain.errors import PolicyDeniedError
from tests.fakes.web import web_server


async def test_the_name_does_not_matter_only_the_address_does() -> None:
    async with web_server(lambda _: b"hello") as web:
        stream = await PinnedBackend(("127.0.0.1",)).connect_tcp("169.254.169.254", web.port, timeout=2)
        assert stream.get_extra_info("server_addr")[:2] == ("127.0.0.1", web.port)
        await stream.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await stream.read(10) == b"hello"
        await stream.aclose()


class Elsewhere(httpcore.AnyIOBackend):
    """A network that connects to another port than it was asked for, as a hijacked route would."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def connect_tcp(self, host: str, port: int, *rest: object) -> httpcore.AsyncNetworkStream:
        return await super().connect_tcp(host, self._port)


async def test_a_peer_that_is_not_the_checked_one_is_left_at_once() -> None:
    async with web_server(lambda _: b"hello") as web:
        with pytest.raises(PolicyDeniedError, match="instead of"):
            await PinnedBackend(("127.0.0.1",), network=Elsewhere(web.port)).connect_tcp("web.test", 1)
    assert web.requests == []


async def test_without_an_address_there_is_no_connection() -> None:
    with pytest.raises(httpcore.ConnectError):
        await PinnedBackend(()).connect_tcp("localhost", 80)


async def test_local_sockets_are_refused() -> None:
    with pytest.raises(httpcore.ConnectError):
        await PinnedBackend(("127.0.0.1",)).connect_unix_socket("/run/docker.sock")


async def test_waiting_is_possible() -> None:
    await PinnedBackend(()).sleep(0)


def test_certificates_and_names_are_checked() -> None:
    context = tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
