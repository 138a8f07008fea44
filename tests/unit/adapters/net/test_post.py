from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from akili_cli.adapters.net.outgoing import Post, Posted, Wire
from akili_cli.adapters.net.post import MAX_ANSWER_BYTES, post
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import AkiliError, InvalidArgumentsError, PolicyDeniedError, ToolFailedError
from tests.fakes.certificates import authority
from tests.fakes.permits import permit_for
from tests.fakes.web import response, web_server

SECRET = "tests-only-token-in-a-url"
CA = authority()


async def send(
    port: int, *, host: str = "127.0.0.1", scheme: str = "http", wire: Wire = Wire(), **more: object
) -> Posted:
    request = Post(f"{scheme}://{host}:{port}/bot{SECRET}/x", {"Authorization": f"Bearer {SECRET}"}, b'{"a": 1}')
    values: dict[str, object] = {
        "permit": permit_for(Effects(hosts=(f"{host}:{port}",))),
        "private_hosts": (f"{host}:{port}",),
        "allowed_ports": (80, 443),
        "timeout_s": 5.0,
        **more,
    }
    try:
        return await post(request, wire=wire, **values)  # type: ignore[arg-type]
    except AkiliError as error:
        if SECRET in str(error) + error.hint + repr(error.__cause__) + repr(error.__context__):
            raise AssertionError("an error shows the secret") from None
        raise


async def test_a_request_arrives_whole() -> None:
    async with web_server(lambda _head: response(b"{}", 201, X_A="b")) as web:
        answer = await send(web.port)
        head = web.requests[0].lower()
    assert (answer.status, answer.body, answer.headers["x-a"]) == (201, b"{}", "b")
    assert head.startswith(f"post /bot{SECRET}/x http/1.1")
    assert f"authorization: bearer {SECRET}" in head
    assert f"host: 127.0.0.1:{web.port}" in head
    assert "content-length: 8" in head


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with web_server(lambda _head: response(b"", 302, Location="/elsewhere")) as web:
        assert (await send(web.port)).status == 302
        assert len(web.requests) == 1


async def test_an_answer_is_cut_at_the_limit() -> None:
    async with web_server(lambda _head: response(b"x" * (MAX_ANSWER_BYTES + 9))) as web:
        assert len((await send(web.port)).body) == MAX_ANSWER_BYTES


async def test_a_host_outside_the_permit_is_refused_before_anything() -> None:
    async with web_server(lambda _head: response()) as web:
        with pytest.raises(PolicyDeniedError, match="permit does not name"):
            await send(web.port, permit=permit_for(Effects(hosts=("127.0.0.1:1",))))
        assert web.requests == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    async def resolver(_host: str, _port: int) -> Sequence[str]:
        return ("93.184.216.34", address)

    with pytest.raises(PolicyDeniedError):
        await send(443, host="hooks.example.test", scheme="https", private_hosts=(), wire=Wire(resolver))


async def test_a_port_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(PolicyDeniedError, match="port 22"):
        await send(22, host="hooks.example.test", private_hosts=())


async def test_a_certificate_of_a_known_authority_is_accepted_for_its_name_only(tmp_path: Path) -> None:
    wire = Wire(tls=CA.trusting())
    async with web_server(lambda _head: response(b"", 204), tls=CA.server(tmp_path)) as web:
        assert (await send(web.port, scheme="https", wire=wire)).status == 204
    for context in (CA.server(tmp_path, "other.example.test"), authority("a stranger").server(tmp_path)):
        async with web_server(lambda _head: response(b"", 204), tls=context) as web:
            with pytest.raises(ToolFailedError, match="certificate of 127") as error:
                await send(web.port, scheme="https", wire=wire)
            assert not error.value.retryable
            assert web.requests == []


async def test_by_default_the_systems_authorities_are_trusted_and_no_others(tmp_path: Path) -> None:
    async with web_server(lambda _head: response(), tls=CA.server(tmp_path)) as web:
        with pytest.raises(ToolFailedError, match="certificate"):
            await send(web.port, scheme="https")


@pytest.mark.parametrize(
    "raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nx"], ids=["cut", "nonsense", "short"]
)
async def test_a_server_that_breaks_off_may_be_tried_again(raw: bytes) -> None:
    async with web_server(lambda _head: raw) as web:
        with pytest.raises(ToolFailedError) as error:
            await send(web.port)
        assert error.value.retryable


async def test_nobody_listening_and_no_answer_in_time_may_be_tried_again() -> None:
    with pytest.raises(ToolFailedError) as error:
        await send(1)
    assert error.value.retryable
    async with web_server(lambda _head: b"HTTP/1.1 200 X\r\n", hang=True) as web:
        with pytest.raises(ToolFailedError, match=r"0\.2 s") as error:
            await send(web.port, timeout_s=0.2)
        assert error.value.retryable


async def test_a_name_nobody_knows_may_be_known_later() -> None:
    async def resolver(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(ToolFailedError, match="cannot be resolved") as error:
        await send(443, host="hooks.example.test", scheme="https", private_hosts=(), wire=Wire(resolver))
    assert error.value.retryable


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\x00", "é"])
async def test_a_header_that_cannot_be_sent_is_refused_and_not_shown(value: str) -> None:
    request = Post("http://127.0.0.1:1/", {"Authorization": SECRET + value}, b"")
    with pytest.raises(InvalidArgumentsError) as error:
        await asyncio.wait_for(
            post(request, permit=permit_for(Effects()), private_hosts=(), allowed_ports=(), timeout_s=1.0), 5
        )
    assert SECRET not in str(error.value)
