"""What a command may try with the one way out of its network: other hosts, other ports, other requests in one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.proxy import Proxy
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.permits import permit_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")
ALLOWED = ("good.example:443", "good.example:80")
PUBLIC = "93.184.216.34"


async def somewhere(_host: str, _port: int) -> Sequence[str]:
    raise OSError("nothing is asked for in these tests")


async def asked(proxy: Proxy, request: bytes, *, limit_s: float = 5) -> bytes:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    await proxy.open(listener)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), limit_s)
        writer.close()
        return answer
    finally:
        await proxy.close()


ELSEWHERE = {
    "an address of the permitted name": PUBLIC,
    "loopback": "127.0.0.1",
    "loopback, short": "127.1",
    "loopback, decimal": "2130706433",
    "loopback, hexadecimal": "0x7f000001",
    "loopback, octal": "0177.0.0.1",
    "loopback, mixed": "0x7f.0.0.1",
    "loopback, long octal": "00000177.0.0.1",
    "any address": "0.0.0.0",
    "any address, short": "0",
    "metadata": "169.254.169.254",
    "metadata, decimal": "2852039166",
    "metadata, hexadecimal": "0xa9fea9fe",
    "metadata, octal": "0251.0376.0251.0376",
    "metadata, name": "metadata.google.internal",
    "metadata, IPv6": "[fd00:ec2::254]",
    "IPv6 loopback": "[::1]",
    "IPv6 loopback, long": "[0:0:0:0:0:0:0:1]",
    "IPv6 any": "[::]",
    "IPv4 in IPv6": "[::ffff:127.0.0.1]",
    "IPv4 in IPv6, hexadecimal": "[::ffff:7f00:1]",
    "metadata in IPv6": "[::ffff:169.254.169.254]",
    "IPv4-compatible IPv6": "[::127.0.0.1]",
    "NAT64": "[64:ff9b::7f00:1]",
    "6to4": "[2002:7f00:1::]",
    "link-local with a zone": "[fe80::1%25eth0]",
    "IPv6 without brackets": "::1",
    "a name that begins alike": "good.example.evil.example",
    "a name that ends alike": "evilgood.example",
    "a name below": "sub.good.example",
    "a look-alike letter": "g\u043e\u043ed.example",
    "a look-alike dot": "good\u3002example",
    "percent": "good%2eexample",
    "userinfo": "good.example@evil.example",
    "userinfo with a port": "good.example:443@evil.example",
    "backslash": "good.example\\@evil.example",
    "fragment": "evil.example#good.example",
    "a space": "good.example evil.example",
    "a tab": "good.example\tevil.example",
    "NUL": "good.example\0.evil.example",
    "empty": "",
    "dots alone": "..",
    "a local socket": "unix:/run/docker.sock",
}


@pytest.mark.parametrize("method", ["CONNECT", "GET"])
@pytest.mark.parametrize("host", ELSEWHERE.values(), ids=ELSEWHERE.keys())
async def test_no_other_host_is_ever_reached_or_even_asked_for(host: str, method: str) -> None:
    for port in ("443", "80"):
        target = f"{host}:{port}" if method == "CONNECT" else f"http://{host}:{port}/"
        answer = await asked(Proxy(ALLOWED, (), resolver=somewhere), f"{method} {target} HTTP/1.1\r\n\r\n".encode())
        assert answer.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 502 "))
        assert b"cannot be resolved" not in answer, "a name that the permit does not hold was looked up"


@pytest.mark.parametrize(
    "port",
    [
        "22",
        "444",
        "4430",
        "0443",
        "+443",
        "-443",
        "443 ",
        " 443",
        "65979",
        "0x1bb",
        "\uff14\uff14\uff13",
        "",
        "443:443",
        "443/",
    ],
)
async def test_no_other_port_is_reached(port: str) -> None:
    answer = await asked(
        Proxy(("good.example:443",), (), resolver=somewhere), f"CONNECT good.example:{port} HTTP/1.1\r\n\r\n".encode()
    )
    assert answer.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 502 "))
    assert b"cannot be resolved" not in answer


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.0.0.1",),
        ("169.254.169.254",),
        ("100.64.0.1",),
        ("0.0.0.0",),
        ("224.0.0.1",),
        ("255.255.255.255",),
        ("::1",),
        ("fe80::1",),
        ("fd00:ec2::254",),
        ("::ffff:127.0.0.1",),
        ("::ffff:a9fe:a9fe",),
        ("64:ff9b::7f00:1",),
        ("2002:7f00:1::",),
        (PUBLIC, "127.0.0.1"),
        ("127.0.0.1", PUBLIC),
    ],
    ids=str,
)
async def test_a_permitted_name_that_points_inside_is_refused_whichever_address_comes_first(
    addresses: tuple[str, ...],
) -> None:
    async def answered(_host: str, _port: int) -> Sequence[str]:
        return addresses

    proxy = Proxy(ALLOWED, (), resolver=answered)
    assert (await asked(proxy, b"CONNECT good.example:443 HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 403 ")
    assert len(proxy.refusals) == 1


@asynccontextmanager
async def web(seen: list[bytes]) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield listening.sockets[0].getsockname()[1]
    listening.close()


async def test_a_name_is_asked_for_once_and_the_connection_goes_to_that_very_answer() -> None:
    async with web([]) as port:
        answers = iter([("127.0.0.1",), ("127.0.0.2",)])

        async def rebinding(_host: str, _port: int) -> Sequence[str]:
            return next(answers)

        name = f"inside.example:{port}"
        answer = await asked(
            Proxy((name,), (name,), resolver=rebinding), f"GET http://{name}/ HTTP/1.1\r\n\r\n".encode()
        )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert next(answers) == ("127.0.0.2",), "asked twice"


HEADERS = {
    "another host": b"Host: evil.example\r\n",
    "two hosts": b"Host: evil.example\r\nHost: other.example\r\n",
    "a host in odd case": b"hOsT: evil.example\r\n",
    "a host with a space": b"Host : evil.example\r\n",
    "kept open": b"Connection: keep-alive\r\nProxy-Connection: keep-alive\r\n",
    "upgraded": b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    "credentials for the proxy": b"Proxy-Authorization: Basic eA==\r\n",
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS.keys())
async def test_a_request_names_the_host_it_goes_to_whatever_its_headers_say(headers: bytes) -> None:
    seen: list[bytes] = []
    async with web(seen) as port:
        head = b"GET http://127.0.0.1:%d/ HTTP/1.1\r\n%b\r\n" % (port, headers)
        await asked(Proxy((f"127.0.0.1:{port}",), ()), head)
    if seen:
        lines = seen[0].lower().split(b"\r\n")
        assert [line for line in lines if line.partition(b":")[0].strip() == b"host"] == [b"host: 127.0.0.1:%d" % port]
        assert b"connection: close" in lines
        assert not any(b"evil" in line or b"upgrade" in line or b"proxy" in line for line in lines)


MALFORMED = {
    "a bare line feed": b"GET http://127.0.0.1:{p}/ HTTP/1.1\nHost: evil\n\r\n\r\n",
    "a folded header": b"GET http://127.0.0.1:{p}/ HTTP/1.1\r\nX: a\r\n Host: evil\r\n\r\n",
    "a line feed in a header": b"GET http://127.0.0.1:{p}/ HTTP/1.1\r\nX: a\nHost: evil\r\n\r\n",
    "HTTP/0.9": b"GET http://127.0.0.1:{p}/\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the path alone": b"GET / HTTP/1.1\r\nHost: 127.0.0.1:{p}\r\n\r\n",
    "https without CONNECT": b"GET https://127.0.0.1:{p}/ HTTP/1.1\r\n\r\n",
    "file": b"GET file:///etc/passwd HTTP/1.1\r\n\r\n",
    "SOCKS 5": b"\x05\x01\x00\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "nothing": b"\r\n\r\n",
}


@pytest.mark.parametrize("head", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_could_be_read_in_two_ways_reaches_nobody(head: bytes) -> None:
    seen: list[bytes] = []
    async with web(seen) as port:
        answer = await asked(Proxy((f"127.0.0.1:{port}",), ()), head.replace(b"{p}", b"%d" % port))
    assert seen == []
    assert answer.startswith(b"HTTP/1.1 502 ") or answer == b""


async def test_who_sends_nothing_and_who_opens_a_hundred_connections_hold_up_nobody_else() -> None:
    async with web([]) as port:
        proxy = Proxy((f"127.0.0.1:{port}",), ())
        listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        await proxy.open(listener)
        door = listener.getsockname()[1]
        idle = [await asyncio.open_connection("127.0.0.1", door) for _ in range(100)]
        refused = [reader for reader, _ in idle]
        ended = await asyncio.wait_for(asyncio.gather(*(reader.read() for reader in refused[70:])), 5)
        assert ended == [b""] * 30
        for _, writer in idle:
            writer.close()
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", door)
        writer.write(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\n\r\n" % port)
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await proxy.close()


INSIDE = {
    "past the proxy": "socket.create_connection(('127.0.0.1', {port}), 2)",
    "past the proxy by UDP": "socket.socket(2, 2).sendto(b'x', ('127.0.0.1', {port}))",
    "past the proxy by IPv6": "socket.create_connection(('::1', {port}), 2)",
    "past the proxy by MPTCP": "socket.socket(2, 1, 262).connect(('127.0.0.1', 3128))",
    "by fast open": "socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', {port}))",
    "to a name server": "socket.socket(2, 2).sendto(b'x', ('127.0.0.53', 53))",
    "by a raw socket": "socket.socket(2, 3, 1)",
    "by a Unix socket": "socket.socket(1).connect('/run/docker.sock')",
    "by vsock": "socket.socket(40, 1)",
    "by netlink": "socket.socket(16, 3, 0)",
    "listening": "socket.create_server(('127.0.0.1', 0))",
    "in the proxy's place": "socket.create_server(('127.0.0.1', 3128))",
}


@pytest.mark.parametrize("code", INSIDE.values(), ids=INSIDE.keys())
async def test_a_command_with_a_permitted_host_has_no_other_way_than_the_proxy(tmp_path: Path, code: str) -> None:
    sandbox = ProcessSandbox(SandboxSettings(), tmp_path, SystemClock())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        text = f"import socket\n{code.format(port=port)}\nprint('open')"
        permit = permit_for(Effects(hosts=(f"127.0.0.1:{port}",)))
        result = await sandbox.run(ExecRequest(("/usr/bin/python3", "-I", "-S", "-c", text), 10), permit)
        if "sendto" in code and "socket(2, 2)" in code:  # it may be sent, into a network where nobody is
            listening.setblocking(False)
            with pytest.raises(BlockingIOError):
                listening.accept()
        else:
            assert b"open" not in result.stdout
    await sandbox.close()


@pytest.mark.parametrize("host", ["169.254.169.254:80", "[fe80::1]:80", "[::ffff:169.254.169.254]:80", "0.0.0.0:80"])
async def test_a_permit_that_names_metadata_itself_does_not_reach_it(host: str) -> None:
    with contextlib.suppress(SandboxError):
        answer = await asked(Proxy((host,), (host,)), f"CONNECT {host} HTTP/1.1\r\n\r\n".encode())
        assert answer.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 502 "))
