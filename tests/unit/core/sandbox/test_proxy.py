from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from akili_cli.core.sandbox.proxy import Proxy
from akili_cli.domain.errors import SandboxError

ANSWER = b"HTTP/1.1 200 OK\r\n\r\nhello"


@asynccontextmanager
async def server(seen: list[bytes]) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield listening.sockets[0].getsockname()[1]
    listening.close()


async def asked(proxy: Proxy, request: bytes) -> bytes:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    await proxy.open(listener)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await proxy.close()
    return answer


async def loopback(_host: str, _port: int) -> Sequence[str]:
    return ("127.0.0.1",)


async def metadata(_host: str, _port: int) -> Sequence[str]:
    return ("169.254.169.254",)


async def test_a_permitted_url_is_fetched_with_the_host_it_names_and_one_request_only() -> None:
    seen: list[bytes] = []
    async with server(seen) as port:
        proxy = Proxy((f"127.0.0.1:{port}",), ())
        head = (
            b"GET http://127.0.0.1:%d/a?b HTTP/1.1\r\nHost: other\r\nProxy-Authorization: x\r\nX-Own: 1\r\n\r\n" % port
        )
        assert await asked(proxy, head) == ANSWER
    assert seen == [b"GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\nX-Own: 1\r\n\r\n" % port]
    assert proxy.refusals == []


async def test_a_permitted_host_is_connected_to() -> None:
    seen: list[bytes] = []
    async with server(seen) as port:
        head = b"CONNECT localhost:%d HTTP/1.1\r\n\r\nhello\r\n\r\n" % port
        answer = await asked(Proxy((f"localhost:{port}",), (), resolver=loopback), head)
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n" + ANSWER
    assert seen == [b"hello\r\n\r\n"]


@pytest.mark.parametrize(
    ("target", "resolver"),
    [
        ("CONNECT other.example:443", loopback),
        ("CONNECT good.example:444", loopback),
        ("CONNECT good.example.:4430", loopback),
        ("CONNECT 127.0.0.1:443", loopback),
        ("GET http://good.example/", loopback),
        ("CONNECT good.example:443", loopback),
        ("CONNECT good.example:443", metadata),
        ("CONNECT localhost:80", metadata),
    ],
    ids=["name", "port", "longer port", "address", "scheme's port", "private", "metadata", "localhost elsewhere"],
)
async def test_what_the_permit_does_not_name_or_is_private_is_refused(target: str, resolver: object) -> None:
    proxy = Proxy(("good.example:443", "localhost:80"), (), resolver=resolver)  # type: ignore[arg-type]
    answer = await asked(proxy, f"{target} HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert len(proxy.refusals) == 1


async def test_a_private_host_that_the_operator_named_is_reached() -> None:
    async with server([]) as port:
        name = f"inside.example:{port}"
        answer = await asked(
            Proxy((name,), (name,), resolver=loopback), b"GET http://%b/ HTTP/1.1\r\n\r\n" % name.encode()
        )
    assert answer == ANSWER


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense",
        b"GET / HTTP/1.1",
        b"GET https://good.example/ HTTP/1.1",
        b"GET ftp://good.example/ HTTP/1.1",
        b"CONNECT good.example HTTP/1.1",
        b"CONNECT good.example:443/path HTTP/1.1",
        b"CONNECT user@good.example:443 HTTP/1.1",
        b"CONNECT good.example\x00:443 HTTP/1.1",
        b"CONNECT g\xc3\xb6od.example:443 HTTP/1.1",
        b"GET http://good.example:443/ HTTP/1.1\r\n folded: x",
        b"GET http://good.example:443/ HTTP/1.1\r\nno colon",
        b"GET http://good.example:443/ HTTP/1.1\r\na: b\nHost: evil",
        b"GET http://good.example:443/ FTP/1.1",
        b"G:T http://good.example:443/ HTTP/1.1",
    ],
)
async def test_what_is_no_request_is_answered_with_an_error(head: bytes) -> None:
    answer = await asked(Proxy(("good.example:443",), (), resolver=loopback), head + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 502 ")


async def test_an_endless_head_ends_the_connection() -> None:
    assert await asked(Proxy(("good.example:443",), ()), b"x" * 100_000) == b""


async def test_a_server_that_is_not_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    answer = await asked(Proxy((f"127.0.0.1:{port}",), ()), b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port)
    assert answer.startswith(b"HTTP/1.1 502 ")


def test_a_host_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(SandboxError, match="cannot be read"):
        Proxy(("0x7f.1:80",), ())
