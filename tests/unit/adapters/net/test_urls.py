from __future__ import annotations

import pytest

from akili_cli.adapters.net.urls import Target, join_url, parse_url
from akili_cli.domain.errors import InvalidArgumentsError

BASE = parse_url("https://example.com:8443/a/b/c?q=1")


def test_a_url_is_taken_apart() -> None:
    target = parse_url("HTTPS://EXAMPLE.com.:8443/a%20b?x=[1]#frag")
    assert target == Target("https", "example.com", 8443, "/a%20b?x=[1]")
    assert target.authority == target.host_header == "example.com:8443"
    assert target.url == "https://example.com:8443/a%20b?x=[1]"
    assert not target.is_address


@pytest.mark.parametrize(
    ("url", "authority", "header"),
    [
        ("http://example.com", "example.com:80", "example.com"),
        ("https://example.com", "example.com:443", "example.com"),
        ("http://example.com:443", "example.com:443", "example.com:443"),
        ("http://[::1]", "[::1]:80", "[::1]"),
        ("http://1.2.3.4:81", "1.2.3.4:81", "1.2.3.4:81"),
    ],
)
def test_the_port_is_always_in_the_authority(url: str, authority: str, header: str) -> None:
    target = parse_url(url)
    assert (target.authority, target.host_header) == (authority, header)


@pytest.mark.parametrize("url", ["http://1.2.3.4", "http://[2600::1]"])
def test_an_address_is_known_as_one(url: str) -> None:
    assert parse_url(url).is_address


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("ftp://x", "only http"),
        ("http://a@b", "user name"),
        ("http://a%2e", "percent-encoded"),
        ("http://0x7f.1", "four plain decimals"),
        ("http://a b", "write it percent-encoded"),
        ("http://a:0", "port"),
        ("http://[::1", "IPv6"),
        ("http://::1", "brackets"),
        ("http://\uff41.com", "look-alike"),
        ("http://a/" + "x" * 8192, "longer than"),
        ("http://a/" + "é" * 5000, "longer than"),
        ("http://\ud800", "holds"),
    ],
    ids=lambda value: value[:20].encode("ascii", "replace").decode(),
)
def test_the_refusal_says_what_is_wrong(url: str, what: str) -> None:
    with pytest.raises(InvalidArgumentsError, match=what):
        parse_url(url)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("http://other.org/x", "http://other.org/x"),
        ("//other.org/x", "https://other.org/x"),
        ("/x", "https://example.com:8443/x"),
        ("x", "https://example.com:8443/a/b/x"),
        ("./x", "https://example.com:8443/a/b/x"),
        ("../x", "https://example.com:8443/a/x"),
        ("../../../x", "https://example.com:8443/x"),
        ("?r=2", "https://example.com:8443/a/b/c?r=2"),
        ("#f", "https://example.com:8443/a/b/c"),
        ("", "https://example.com:8443/a/b/c"),
        ("x?u=http://y/", "https://example.com:8443/a/b/x?u=http://y/"),
    ],
)
def test_a_location_is_read_from_where_it_came(location: str, url: str) -> None:
    assert join_url(BASE, location).url == url


@pytest.mark.parametrize(
    "location", ["ftp://x", "javascript:x", "//", "///x", "\\x", "/\\x", "http:x", "a b", "x:y", "//u@h"]
)
def test_a_location_that_leads_nowhere_plain_is_refused(location: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        join_url(BASE, location)
