from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from akili_cli.adapters.net.outgoing import Wire
from akili_cli.adapters.net.probe import probe_http, probe_tcp, probe_tls
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import PolicyDeniedError, ToolFailedError
from tests.fakes.certificates import authority
from tests.fakes.permits import permit_for
from tests.fakes.web import response, web_server

CA = authority()


def resolving(*addresses: str) -> Wire:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return Wire(resolver=resolve, tls=CA.trusting())


def allowed(host: str) -> dict[str, object]:
    return {"permit": permit_for(Effects(hosts=(host,))), "private_hosts": (host,), "timeout_s": 5.0}


async def test_a_get_gives_the_status_in_the_name_of_a_health_check() -> None:
    async with web_server(lambda _head: response(b"x" * 500_000, 204)) as web:
        host = f"127.0.0.1:{web.port}"
        assert await probe_http(f"http://{host}/up", **allowed(host)) == 204  # type: ignore[arg-type]  # one dict
    assert web.requests[0].startswith("GET /up HTTP/1.1")
    assert "User-Agent: Akili-HealthCheck/1.0" in web.requests[0]


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with web_server(lambda _head: response(b"", 302, Location="http://169.254.169.254/")) as web:
        host = f"127.0.0.1:{web.port}"
        assert await probe_http(f"http://{host}/", **allowed(host)) == 302  # type: ignore[arg-type]  # one dict
    assert len(web.requests) == 1


async def test_a_port_that_listens_is_reached_and_one_that_does_not_is_not() -> None:
    async with web_server(lambda _head: b"") as web:
        host = f"127.0.0.1:{web.port}"
        await probe_tcp(host, **allowed(host))  # type: ignore[arg-type]  # one dict
    with pytest.raises(ToolFailedError, match="failed"):
        await probe_tcp("127.0.0.1:1", **allowed("127.0.0.1:1"))  # type: ignore[arg-type]  # one dict


async def test_a_certificate_says_when_it_ends_after_it_was_verified(tmp_path: Path) -> None:
    async with web_server(lambda _head: b"", tls=CA.server(tmp_path, "up.example")) as web:
        host = f"up.example:{web.port}"
        ends = await probe_tls(host, **allowed(host), wire=resolving("127.0.0.1"))  # type: ignore[arg-type]  # one dict
        now = ssl.cert_time_to_seconds("Jan  1 00:00:00 2020 GMT")
        assert ends > now
        other = f"other.example:{web.port}"
        with pytest.raises(ToolFailedError, match=r"certificate of other\.example"):
            await probe_tls(other, **allowed(other), wire=resolving("127.0.0.1"))  # type: ignore[arg-type]  # one dict


async def test_what_speaks_no_tls_has_no_certificate() -> None:
    async with web_server(lambda _head: b"") as web:
        host = f"127.0.0.1:{web.port}"
        with pytest.raises(ToolFailedError):
            await probe_tls(host, **{**allowed(host), "timeout_s": 0.5})  # type: ignore[arg-type]  # one dict


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async with web_server(lambda _head: b"", hang=True) as web:
        host = f"127.0.0.1:{web.port}"
        with pytest.raises(ToolFailedError):
            await probe_http(f"http://{host}/", **{**allowed(host), "timeout_s": 0.2})  # type: ignore[arg-type]  # one dict


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "127.0.0.1", "10.0.0.1", "::1", "::ffff:10.0.0.1", "fd00::1", "0.0.0.0"]
)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    permit = permit_for(Effects(hosts=("up.example:80",)))
    for addresses in ((address,), ("93.184.216.34", address)):
        wire = resolving(*addresses)
        with pytest.raises(PolicyDeniedError, match="no fetch may reach"):
            await probe_http(
                "http://up.example/", permit=permit, private_hosts=("other.example:80",), timeout_s=1.0, wire=wire
            )
        with pytest.raises(PolicyDeniedError):
            await probe_tcp("up.example:80", permit=permit, private_hosts=(), timeout_s=1.0, wire=wire)
        with pytest.raises(PolicyDeniedError):
            await probe_tls("up.example:80", permit=permit, private_hosts=(), timeout_s=1.0, wire=wire)


async def test_the_metadata_address_is_refused_even_when_it_is_named() -> None:
    with pytest.raises(PolicyDeniedError):
        await probe_http("http://169.254.169.254/", **allowed("169.254.169.254:80"))  # type: ignore[arg-type]  # one dict


async def test_a_name_is_resolved_once_so_that_it_cannot_change_its_mind() -> None:
    answers = [("127.0.0.1",), ("10.0.0.1",)]

    async def rebinding(_host: str, _port: int) -> Sequence[str]:
        return answers.pop(0)

    async with web_server(lambda _head: response()) as web:
        host = f"up.example:{web.port}"
        assert await probe_http(f"http://{host}/", **allowed(host), wire=Wire(resolver=rebinding)) == 200  # type: ignore[arg-type]  # one dict
    assert answers == [("10.0.0.1",)]


async def test_only_the_host_of_the_permit_is_reached() -> None:
    permit = permit_for(Effects(hosts=("a.example:80",)))
    with pytest.raises(PolicyDeniedError, match="does not name"):
        await probe_http("http://b.example/", permit=permit, private_hosts=(), timeout_s=1.0)
    with pytest.raises(PolicyDeniedError, match="does not name"):
        await probe_tcp("a.example:81", permit=permit, private_hosts=(), timeout_s=1.0)
