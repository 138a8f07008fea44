from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akili_cli.adapters.net.addresses import blocked

CORPUS = Path(__file__).parent / "corpora" / "addresses.txt"
CASES = [
    line.split(" ", 1) for line in CORPUS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
]


@pytest.mark.parametrize(("verdict", "address"), CASES, ids=[case[1] for case in CASES])
def test_each_address_of_the_corpus_has_its_verdict(verdict: str, address: str) -> None:
    assert ("public" if blocked(address) is None else "blocked") == verdict


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 80


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**32 - 1) | st.integers(0, 2**128 - 1))
def test_no_address_that_the_registries_call_special_is_let_through(number: int) -> None:
    address = ip_address(number)
    if blocked(str(address)) is None:
        assert address.is_global
        assert not address.is_multicast


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["::", "::ffff:0:0", "64:ff9b::", "::ffff:0:0:0"]))
def test_no_ipv4_address_passes_inside_an_ipv6_one(number: int, prefix: str) -> None:
    assert blocked(str(IPv6Address(int(IPv6Address(prefix)) | number))) is not None
