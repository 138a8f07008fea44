from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from akili_cli.domain.errors import InvalidBodyError
from akili_cli.gateways.http.bodies import LARGE_BYTES, check_json, is_without_body
from tests.fakes.edge import Site, open_site

CHUNKED = {"transfer-encoding": "chunked"}
LIMIT = 4096


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path, max_request_size_bytes=LIMIT, body_timeout_s=0.05) as opened:
        yield opened


def sized(size: int) -> bytes:
    return b'{"a": "' + b"x" * (size - 9) + b'"}'


async def test_a_route_reads_the_body_as_it_was_sent(site: Site) -> None:
    body = b'{"a": [1, 2.5, null], "b": "\xc3\xa9"}'
    assert (await site.post(body)).body == body
    assert (await site.post([body[:5], body[5:9], body[9:]])).body == body


async def test_a_request_may_have_no_body(site: Site) -> None:
    answer = await site.ask("POST", "/v1/echo", headers={"authorization": "Bearer k7Qz9mTr4Lw2Vx8Np3"})
    assert (answer.status, answer.body) == (200, b"")


async def test_the_limit_itself_is_allowed_and_one_more_is_not(site: Site) -> None:
    assert (await site.post(sized(LIMIT))).status == 200
    answer = await site.post(sized(LIMIT + 1))
    assert answer.status == 413
    assert answer.json["code"] == "too_large"
    assert str(LIMIT) in answer.json["error"]


async def test_an_announced_size_is_refused_before_anything_is_read(site: Site) -> None:
    for size in (str(LIMIT + 1), "9" * 30):
        assert (await site.post(b"", headers={"content-length": size}, ends=False)).status == 413


async def test_a_body_without_a_size_is_counted_as_it_comes(site: Site) -> None:
    pieces = [b" " * 1000] * 5
    named = {"authorization": "Bearer k7Qz9mTr4Lw2Vx8Np3", "content-type": "application/json", **CHUNKED}
    assert (await site.ask("POST", "/v1/echo", pieces, named, ends=False)).status == 413
    assert (await site.ask("POST", "/v1/echo", [sized(1000)], named)).status == 200


async def test_a_body_that_does_not_end_is_given_up(site: Site) -> None:
    answer = await site.post(b'{"a":', ends=False)
    assert answer.status == 408
    assert answer.headers["connection"] == "close"
    assert answer.json["code"] == "request_timeout"


async def test_a_connection_that_ends_within_a_body_reaches_no_route(site: Site) -> None:
    answer = await site.ask(
        "POST",
        "/v1/echo",
        [],
        {"authorization": "Bearer k7Qz9mTr4Lw2Vx8Np3", "content-type": "application/json", "content-length": "5"},
    )
    assert answer.status == 400


KINDS = (
    ("application/json", 200),
    ("Application/JSON; charset=UTF-8", 200),
    ('application/json;charset="utf-8"', 200),
    ("application/json; charset=latin-1", 415),
    ("application/json; charset=utf-8; x=y", 415),
    ("application/jsonp", 415),
    ("application/x-www-form-urlencoded", 415),
    ("multipart/form-data; boundary=x", 415),
    ("text/plain", 415),
    ("application/xml", 415),
    ("application/yaml", 415),
    ("", 415),
)


async def test_only_json_in_utf8_is_read(site: Site) -> None:
    for kind, status in KINDS:
        assert (await site.post(b"{}", headers={"content-type": kind})).status == status, kind


async def test_a_compressed_body_is_not_unpacked(site: Site) -> None:
    assert (await site.post(b"{}", headers={"content-encoding": "gzip"})).status == 415
    assert (await site.post(b"{}", headers={"content-encoding": "identity"})).status == 200


async def test_put_and_patch_are_read_alike(site: Site) -> None:
    named = {"authorization": "Bearer k7Qz9mTr4Lw2Vx8Np3", "content-type": "application/json", "content-length": "3"}
    for method in ("PUT", "PATCH"):
        assert (await site.ask(method, "/v1/echo", b"{a}", named)).status == 400


@pytest.mark.parametrize("size", [10, LARGE_BYTES])
def test_what_is_wrong_is_named_with_its_place(size: int) -> None:
    space = b" " * size
    with pytest.raises(InvalidBodyError, match="body:2: duplicate key 'a'"):
        check_json(b'{"a": 1,\n"a": 2}' + space)
    with pytest.raises(InvalidBodyError, match="byte 2"):
        check_json(b'["\xff"]' + space)


def test_large_bodies_are_checked_as_small_ones_are() -> None:
    check_json(b"[" + b"1, " * 20_000 + b"1]")


@pytest.mark.parametrize(
    ("headers", "without"),
    [
        ({}, True),
        ({"content-length": "0"}, True),
        ({"content-length": "00"}, False),
        ({"content-length": "1"}, False),
        ({"transfer-encoding": "chunked", "content-length": "0"}, False),
    ],
)
def test_a_head_tells_whether_a_body_follows(headers: dict[str, str], without: bool) -> None:
    assert is_without_body(Headers(headers)) is without


def test_one_of_two_sizes_is_enough_for_a_body() -> None:
    assert not is_without_body(Headers(raw=[(b"content-length", b"0"), (b"content-length", b"5")]))
