from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from akili_cli.adapters.net.resolve import Resolver, checked_addresses, is_private_host, system_resolver
from akili_cli.adapters.net.urls import parse_url
from akili_cli.domain.errors import PolicyDeniedError, ToolFailedError

TARGET = parse_url("http://web.test:8080/")


def answering(*addresses: str) -> Resolver:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


async def test_public_addresses_are_given_in_order_and_once() -> None:
    resolver = answering("1.1.1.1", "2600::1", "1.1.1.1")
    assert await checked_addresses(TARGET, private_hosts=(), resolver=resolver) == ("1.1.1.1", "2600::1")


async def test_a_literal_address_is_not_asked_for() -> None:
    target = parse_url("http://1.1.1.1/")
    assert await checked_addresses(target, private_hosts=(), resolver=answering()) == ("1.1.1.1",)
    with pytest.raises(PolicyDeniedError, match="loopback"):
        await checked_addresses(parse_url("http://[::1]/"), private_hosts=(), resolver=answering())


async def test_one_bad_address_refuses_all() -> None:
    with pytest.raises(PolicyDeniedError, match=r"10\.0\.0\.1"):
        await checked_addresses(TARGET, private_hosts=(), resolver=answering("1.1.1.1", "10.0.0.1"))


async def test_a_named_internal_host_may_be_private() -> None:
    resolver = answering("10.0.0.1", "127.0.0.1", "fd00::1", "100.64.0.1")
    found = await checked_addresses(TARGET, private_hosts=("WEB.test.:8080",), resolver=resolver)
    assert len(found) == 4


@pytest.mark.parametrize("entry", ["web.test", "web.test:80", "other.test:8080", "*.test:8080", ""])
async def test_only_exactly_the_named_host_and_port(entry: str) -> None:
    assert not is_private_host(TARGET, (entry,))
    with pytest.raises(PolicyDeniedError):
        await checked_addresses(TARGET, private_hosts=(entry,), resolver=answering("10.0.0.1"))


@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "::ffff:10.0.0.1", "x"])
async def test_an_internal_host_is_never_link_local_or_odd(address: str) -> None:
    with pytest.raises(PolicyDeniedError):
        await checked_addresses(TARGET, private_hosts=("web.test:8080",), resolver=answering(address))


@pytest.mark.parametrize("error", [socket.gaierror(-2, "x"), UnicodeError("x"), OSError("x"), None])
async def test_a_name_without_an_address_is_a_failure(error: Exception | None) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        if error is not None:
            raise error
        return ()

    with pytest.raises(ToolFailedError, match=r"web\.test"):
        await checked_addresses(TARGET, private_hosts=(), resolver=resolve)


async def test_the_system_knows_this_host() -> None:
    assert {"127.0.0.1", "::1"} & set(await system_resolver("localhost", 80))
