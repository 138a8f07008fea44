from __future__ import annotations

import pytest

from akili_cli.adapters.net.addresses import blocked


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"])
def test_a_public_address_is_let_through(address: str) -> None:
    assert blocked(address) is None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("10.1.2.3", "private"),
        ("169.254.169.254", "link-local"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("168.63.129.16", "cloud metadata"),
        ("::1", "loopback"),
        ("::", "unspecified"),
        ("::ffff:8.8.8.8", "IPv4-mapped"),
        ("64:ff9b::8.8.8.8", "NAT64"),
        ("2002:808:808::", "6to4"),
        ("2001::1", "Teredo"),
        ("fec0::1", "site-local"),
        ("fe80::1%eth0", "it has a zone"),
        ("2600::5efe:10.0.0.1", "ISATAP"),
        ("4000::1", "not a public address"),
        ("", "it is not an address"),
        ("127.1", "it is not an address"),
    ],
)
def test_the_reason_is_named(address: str, reason: str) -> None:
    assert blocked(address) == reason
