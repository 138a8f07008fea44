from __future__ import annotations

import asyncio
import gzip
import itertools
import ssl
import subprocess
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from akili_cli.adapters.net.fetch import FetchLimits, FetchResult, Method, check_port, fetch
from akili_cli.adapters.net.urls import parse_url
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import AkiliError, InvalidArgumentsError, PolicyDeniedError, ToolFailedError
from tests.fakes.permits import permit_for
from tests.fakes.web import WebServer, response, web_server

NAME = "web.test"


def resolver_of(*answers: Sequence[str]) -> Callable[[str, int], object]:
    """Give the answers one after the other, then the last one for ever."""
    calls = itertools.chain(answers, itertools.repeat(answers[-1]))

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return next(calls)

    return resolve


async def get(
    web: WebServer,
    path: str = "/",
    *,
    method: Method = "GET",
    host: str = NAME,
    scheme: str = "http",
    resolver: object = None,
    also: tuple[str, ...] = (),
    private: tuple[str, ...] = (),
    max_bytes: int = 1000,
    timeout_s: float = 5.0,
) -> FetchResult:
    limits = FetchLimits(
        allowed_private_hosts=(f"{host}:{web.port}", *(f"{name}:{web.port}" for name in private)),
        max_response_bytes=max_bytes,
        timeout_s=timeout_s,
    )
    url = f"{scheme}://{host}:{web.port}{path}"
    hosts = (parse_url(url).authority, *(f"{name}:{web.port}" for name in also))
    permit = permit_for(Effects(hosts=hosts), tool="web_fetch")
    return await fetch(
        url,
        method=method,
        permit=permit,
        limits=limits,
        resolver=resolver or resolver_of(["127.0.0.1"]),  # type: ignore[arg-type]  # a plain function
    )


async def test_a_page_is_fetched_from_the_checked_address() -> None:
    async with web_server(lambda _: response(b"hello", Content_Type="text/plain")) as web:
        result = await get(web, "/a?b=c#d")
    assert (result.status, result.body, result.truncated) == (200, b"hello", False)
    assert result.headers["content-type"] == "text/plain"
    assert result.url == f"http://{NAME}:{web.port}/a?b=c"
    assert result.hops == (result.url,)
    head = web.requests[0].splitlines()
    assert head[0] == "GET /a?b=c HTTP/1.1"
    assert f"Host: {NAME}:{web.port}" in head
    assert "User-Agent: Akili/1.0" in head
    assert not any(line.lower().startswith(("cookie", "authorization", "proxy")) for line in head)


async def test_head_has_no_body() -> None:
    async with web_server(lambda _: response(Content_Length="999", X="y")) as web:
        result = await get(web, method="HEAD")
    assert web.requests[0].startswith("HEAD /")
    assert (result.body, result.headers["x"]) == (b"", "y")


async def test_an_error_status_is_a_result() -> None:
    async with web_server(lambda _: response(b"no", 404)) as web:
        assert (await get(web)).status == 404


async def test_an_ipv6_address_is_reached() -> None:
    try:
        async with web_server(lambda _: response(b"six"), "::1") as web:
            result = await get(web, host="[::1]")
    except OSError:
        pytest.skip("no IPv6 here")
    assert result.body == b"six"
    assert f"Host: [::1]:{web.port}" in web.requests[0]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_proxy_variables_take_no_part(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with web_server(lambda _: response(b"proxy")) as proxy, web_server(lambda _: response(b"direct")) as web:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await get(web)).body == b"direct"
        assert proxy.requests == []


async def test_netrc_takes_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text(f"machine {NAME} login u password p\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with web_server(lambda _: response(b"x")) as web:
        await get(web)
    assert "uthorization" not in web.requests[0]


async def test_a_host_outside_the_permit_is_refused_before_anything() -> None:
    permit = permit_for(Effects(hosts=("web.test:81",)))
    with pytest.raises(PolicyDeniedError, match="permit does not name"):
        await fetch("http://web.test/", method="GET", permit=permit, limits=FetchLimits())


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%1"],
        ["93.184.216.34", "127.0.0.1"],
        ["93.184.216.34"] * 70 + ["10.0.0.1"],
        ["not an address"],
    ],
    ids=lambda value: value[-1],
)
async def test_one_bad_address_refuses_the_host(addresses: list[str]) -> None:
    permit = permit_for(Effects(hosts=("web.test:80",)))
    with pytest.raises(PolicyDeniedError, match="no fetch may reach"):
        await fetch(
            "http://web.test/",
            method="GET",
            permit=permit,
            limits=FetchLimits(),
            resolver=resolver_of(addresses),  # type: ignore[arg-type]  # a plain function
        )


async def test_an_allowed_internal_host_is_still_no_way_to_metadata() -> None:
    async with web_server(lambda _: response()) as web:
        for address in ("169.254.169.254", "0.0.0.0", "fe80::1", "::ffff:127.0.0.1"):
            with pytest.raises(PolicyDeniedError):
                await get(web, resolver=resolver_of([address]))
    assert web.requests == []


async def test_a_resolver_that_changes_its_mind_is_harmless() -> None:
    calls = []

    async def rebinding(host: str, _port: int) -> Sequence[str]:
        calls.append(host)
        return ["127.0.0.1"] if len(calls) == 1 else ["169.254.169.254"]

    async with web_server(lambda _: response(b"first")) as web:
        assert (await get(web, resolver=rebinding)).body == b"first"
    assert calls == [NAME]


async def test_each_redirect_is_resolved_and_checked_again() -> None:
    async with web_server(lambda _: response(status=302, Location="/again")) as web:
        with pytest.raises(PolicyDeniedError, match=r"169\.254\.169\.254"):
            await get(web, resolver=resolver_of(["127.0.0.1"], ["169.254.169.254"]))
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "http://127.0.0.1:22/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "//169.254.169.254/",
        "///169.254.169.254/",
        "http://other.test/",
        "http://web.test/",
        "http://web.test:1/",
        "http://web.test@169.254.169.254/",
        "http://web.test.evil.test/",
        "\\\\169.254.169.254/",
        "/\\169.254.169.254/",
        "http:169.254.169.254",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "ftp://web.test/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "unix:/run/docker.sock",
        "http://",
        "http://web.test:99999/",
        "/a b",
        "/" + "x" * 9000,
    ],
    ids=lambda value: value[:40],
)
async def test_a_redirect_to_somewhere_else_is_refused(location: str) -> None:
    async with web_server(lambda _: response(status=302, Location=location)) as web:
        with pytest.raises(PolicyDeniedError):
            await get(web)
    assert len(web.requests) == 1


async def test_a_redirect_within_the_host_is_followed() -> None:
    def answer(head: str) -> bytes:
        if head.startswith("GET /dir/a "):
            return response(status=302, Location="../b?c", Set_Cookie="session=1")
        return response(b"there")

    async with web_server(answer) as web:
        result = await get(web, "/dir/a")
    assert result.body == b"there"
    assert result.url.endswith("/b?c")
    assert len(result.hops) == 2
    assert "ookie" not in web.requests[1]


async def test_a_redirect_is_followed_only_where_the_permit_reaches() -> None:
    def answer(head: str) -> bytes:
        if "Host: web.test" in head:
            return response(status=308, Location=f"http://sub.other.test:{web.port}/")
        return response(b"other")

    async with web_server(answer) as web:
        result = await get(web, also=("sub.other.test",), private=("sub.other.test",))
        assert result.body == b"other"
        with pytest.raises(PolicyDeniedError, match="which this call may not reach"):
            await get(web, private=("sub.other.test",))


async def test_endless_redirects_end() -> None:
    async with web_server(lambda _: response(status=301, Location="/")) as web:
        with pytest.raises(ToolFailedError, match="more than 5 times"):
            await get(web)
    assert len(web.requests) == 6


async def test_a_body_is_cut_at_the_cap() -> None:
    async with web_server(lambda _: response(b"x" * 1001)) as web:
        result = await get(web)
        assert (len(result.body), result.truncated) == (1000, True)
        result = await get(web, max_bytes=1001)
        assert (len(result.body), result.truncated) == (1001, False)


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_body_is_counted_as_it_unpacks(name: str, pack: Callable[[bytes], bytes]) -> None:
    async with web_server(lambda _: response(pack(b"hello"), Content_Encoding=name)) as web:
        assert (await get(web)).body == b"hello"
    bomb = pack(b"\0" * 50_000_000)
    async with web_server(lambda _: response(bomb, Content_Encoding=name)) as web:
        tracemalloc.start()
        result = await get(web)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (len(result.body), result.truncated) == (1000, True)
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip",
    ],
    ids=["nothing", "garbage", "short", "length", "chunk", "headers", "brotli", "damaged"],
)
async def test_a_server_that_talks_nonsense_is_a_failure(raw: bytes) -> None:
    async with web_server(lambda _: raw) as web:
        with pytest.raises(ToolFailedError):
            await get(web)


async def test_nobody_listening_is_a_failure() -> None:
    async with web_server(lambda _: b"") as web:
        pass
    with pytest.raises(ToolFailedError, match="cannot be read"):
        await get(web)


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with web_server(lambda _: response(b"up")) as web:
        assert (await get(web, resolver=resolver_of(["127.0.0.9", "127.0.0.1"]))).body == b"up"


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_a_server_that_never_ends_runs_into_the_deadline(drip: bytes) -> None:
    async with web_server(lambda _: drip, hang=True) as web:
        with pytest.raises(ToolFailedError, match=r"within 0\.2 s"):
            await get(web, timeout_s=0.2)


async def test_a_resolver_that_never_ends_runs_into_the_deadline() -> None:
    async def never(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    async with web_server(lambda _: b"") as web:
        with pytest.raises(ToolFailedError, match="within"):
            await get(web, resolver=never, timeout_s=0.1)


async def test_ports_are_allowed_one_by_one() -> None:
    check_port(parse_url("https://web.test/"), FetchLimits())
    check_port(parse_url("http://web.test:8080/"), FetchLimits(allowed_ports=(8080,)))
    check_port(parse_url("http://web.test:8080/"), FetchLimits(allowed_private_hosts=("web.test:8080",)))
    for private in ("web.test:8081", "other.test:8080", "web.test"):
        with pytest.raises(PolicyDeniedError, match="port 8080"):
            check_port(parse_url("http://web.test:8080/"), FetchLimits(allowed_private_hosts=(private,)))


@pytest.mark.parametrize("url", ["ftp://x/", "http://a@b/", "x"])
async def test_what_is_no_url_is_an_argument_error(url: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        await fetch(url, method="GET", permit=permit_for(Effects()), limits=FetchLimits())


async def test_an_unknown_certificate_is_refused_and_the_name_was_asked_for(tmp_path: Path) -> None:
    made = subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={NAME} -keyout key.pem -out cert.pem".split(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("no openssl here")
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with web_server(lambda _: response(b"secret"), tls=context) as web:
        with pytest.raises(AkiliError, match=r"(?i)certificate"):
            await get(web, scheme="https")
    assert names == [NAME]
    assert web.requests == []
