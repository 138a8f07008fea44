from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.domain.hosts import host_matches, host_name, split_host


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.ORG.", "example.org"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("[::1]", "::1"),
        ("2001:DB8::0", "2001:db8::"),
        ("127.0.0.1", "127.0.0.1"),
        ("a_b.example", "a_b.example"),
        ("", None),
        (".", None),
        ("a..b", None),
        ("a b", None),
        ("a/b", None),
        ("a@b", None),
        ("*.example.org", None),
        ("x" * 64 + ".org", None),
        (".".join(["abc"] * 70), None),
        ("ex\0ample", None),
    ],
    ids=repr,
)
def test_a_host_has_one_spelling_or_is_none(text: str, name: str | None) -> None:
    assert host_name(text) == name


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ("example.org:443", ("example.org", "443")),
        ("example.org", ("example.org", "")),
        ("[::1]:80", ("::1", "80")),
        ("[::1]", ("::1", "")),
        ("2001:db8::1", ("2001:db8::1", "")),
        ("example.org:http", ("example.org:http", "")),
    ],
    ids=repr,
)
def test_host_and_port_are_told_apart(entry: str, parts: tuple[str, str]) -> None:
    assert split_host(entry) == parts


@pytest.mark.parametrize(
    ("host", "pattern"),
    [
        ("example.org:443", "example.org"),
        ("EXAMPLE.org.:443", "example.org"),
        ("example.org:443", "example.org:443"),
        ("a.example.org:443", "*.example.org"),
        ("a.b.example.org:443", "*.example.org:443"),
        ("unix:/run/x.sock", "unix:/run/x.sock"),
        ("[::1]:80", "::1"),
    ],
    ids=repr,
)
def test_a_pattern_means_its_host(host: str, pattern: str) -> None:
    assert host_matches(host, pattern)


@pytest.mark.parametrize(
    ("host", "pattern"),
    [
        ("example.org:443", "*.example.org"),
        ("evil-example.org:443", "example.org"),
        ("evilexample.org:443", "*.example.org"),
        ("example.org.evil.com:443", "example.org"),
        ("example.org.evil.com:443", "*.example.org"),
        ("example.org:80", "example.org:443"),
        ("example.org", "example.org:443"),
        ("unix:/run/x.sock", "/run/x.sock"),
        ("unix:/run/x.sock.evil", "unix:/run/x.sock"),
        ("example.org:443", "unix:example.org"),
        ("", "*.example.org"),
        ("example.org:443", "*"),
        ("example.org:443", ""),
        ("1.1.1.1:443", "1.1.1.10"),
    ],
    ids=repr,
)
def test_a_pattern_means_nothing_else(host: str, pattern: str) -> None:
    assert not host_matches(host, pattern)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_the_comparison(host: str, pattern: str) -> None:
    assert host_matches(host, pattern) in (True, False)
