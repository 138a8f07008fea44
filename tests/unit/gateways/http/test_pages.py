from __future__ import annotations

import json

import pytest
from fastapi import Request

from akili_cli.domain.errors import InvalidBodyError, PreconditionError
from akili_cli.gateways.http.pages import Page, cursor_of, etag_of, expected, item, page_of

ROWS = [{"id": f"r{at}", "at": float(at)} for at in range(5, 0, -1)]


def request(query: str = "", method: str = "GET", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/v1/things", "query_string": query.encode(), "headers": raw}
    return Request({**scope, "scheme": "http", "server": ("evil.example", 80)})


def answered(page: Page) -> tuple[list[str], str | None, str | None]:
    rows = [row for row in ROWS if page.before is None or (row["at"], row["id"]) < page.before]
    answer = page.answer(rows[: page.limit + 1], lambda row: (row["at"], row["id"]), lambda row: row)  # type: ignore[arg-type, return-value]  # the test's own rows
    ids = [row["id"] for row in json.loads(bytes(answer.body))]
    return ids, answer.headers.get("x-next-cursor"), answer.headers.get("link")


def test_a_list_is_gone_through_page_by_page_to_its_end() -> None:
    first, cursor, link = answered(page_of(request("limit=2&name=a%20b"), 2))
    assert first == ["r5", "r4"]
    assert link == f'</v1/things?limit=2&name=a+b&cursor={cursor}>; rel="next"'
    second, cursor, _ = answered(page_of(request(), 2, cursor))
    assert second == ["r3", "r2"]
    last, cursor, link = answered(page_of(request(), 2, cursor))
    assert (last, cursor, link) == (["r1"], None, None)


def test_a_link_leads_to_where_the_request_came_in_whatever_host_it_named() -> None:
    _, _, link = answered(page_of(request("limit=2", host="elsewhere.example"), 2))
    assert link is not None
    assert link.startswith("</v1/things?")


@pytest.mark.parametrize(
    "cursor",
    ["x", "AAAA", cursor_of((float("inf"), "a")), cursor_of((1.0, "a\x00")), cursor_of(("1", "a")), "W10"],  # type: ignore[arg-type]  # that is the case
)
def test_a_cursor_that_no_page_gave_is_refused_with_its_field(cursor: str) -> None:
    with pytest.raises(InvalidBodyError) as caught:
        page_of(request(), 2, cursor)
    assert [field for field, _ in caught.value.fields] == ["cursor"]


def test_a_cursor_of_a_deep_structure_is_only_no_cursor() -> None:
    import base64

    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=")
    with pytest.raises(InvalidBodyError):
        page_of(request(), 2, deep)


def test_the_same_json_has_the_same_tag_in_any_order_and_another_another() -> None:
    assert etag_of({"a": 1, "b": 2}) == etag_of({"b": 2, "a": 1})
    assert etag_of({"a": 1}) != etag_of({"a": 1.5})


def test_a_get_that_knows_this_version_is_answered_304_without_a_body() -> None:
    tag = etag_of({"a": 1})
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = item(request(if_none_match=known), {"a": 1})
        assert (answer.status_code, answer.headers["etag"], answer.body) == (304, tag, b"")
    for other in ('"x"', "x", "", tag.strip('"')):
        assert item(request(if_none_match=other), {"a": 1}).status_code == 200
    assert item(request(method="PUT", if_none_match=tag), {"a": 1}).status_code == 200
    assert item(request(), {"a": 1}, 201).status_code == 201


def test_a_change_goes_on_only_where_the_tag_is_that_of_what_is_there_now() -> None:
    tag = etag_of({"a": 1})
    for good in (tag, f'"x", {tag}', "*"):
        expected(request(if_match=good), dict)({"a": 1})
    expected(request(), dict)({"a": 1})
    for bad in ('"x"', f"W/{tag}", "x", ""):
        with pytest.raises(PreconditionError):
            expected(request(if_match=bad), dict)({"a": 1})
