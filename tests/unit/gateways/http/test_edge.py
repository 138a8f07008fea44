from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.telemetry.logs import correlation
from akili_cli.gateways.http.edge import DOCS_POLICY, STRICT_POLICY
from tests.fakes.edge import ANN_KEY, BEN_KEY, SECRET, Site, open_site

ORIGIN = "https://console.example.com"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        yield opened


async def test_a_route_learns_who_is_calling(site: Site) -> None:
    answer = await site.get()
    assert answer.json == {"user": "ann", "org": "default", "source": "http", "key": "config-1"}


async def test_nothing_under_v1_is_open_whether_it_exists_or_not(site: Site) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "ODD"):
        for path in ("/v1", "/v1/", "/v1/who", "/v1/nothing", "/v1/healthz", "/v1/echo"):
            answer = await site.ask(method, path)
            assert answer.status == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json["code"] == "unauthorized"
            assert "akili keys create" in answer.json["hint"]
            assert "[redacted" not in answer.body.decode()


async def test_another_way_to_write_the_path_reaches_no_route(site: Site) -> None:
    for path in ("//v1/who", "/V1/who", "/%76%31/who", "/./v1/who", "/x/../v1/who", "/v1;a/who", "/v1x", "v1/who"):
        assert (await site.ask("GET", path)).status == 404, path


async def test_what_is_open_is_open_and_its_routes_know_no_caller(site: Site) -> None:
    assert (await site.ask("GET", "/healthz")).json == {"status": "ok"}
    answer = await site.ask("GET", "/open", headers={"authorization": f"Bearer {ANN_KEY}"})
    assert answer.status == 401


async def test_two_credentials_are_none(site: Site) -> None:
    both = [("authorization", f"Bearer {ANN_KEY}"), ("authorization", f"Bearer {BEN_KEY}")]
    assert (await site.ask("GET", "/v1/who", headers=both)).status == 401


async def test_every_answer_has_its_id_and_the_headers_that_protect_it(site: Site) -> None:
    seen = set()
    wanted = {"/v1/who": 200, "/healthz": 200, "/v1/none": 404, "/v1/broken": 500, "/v1/gone": 404}
    for path, status in wanted.items():
        answer = await site.get(path)
        assert answer.status == status
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
        seen.add(answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"] == STRICT_POLICY
        assert (answer.headers.get("cache-control") == "no-store") is path.startswith("/v1")
        assert "access-control-allow-origin" not in answer.headers
        if status != 200:
            assert answer.json["correlation_id"] == answer.headers["x-request-id"]
    assert len(seen) == 5
    assert correlation.get() == ""


async def test_docs_may_show_themselves_and_a_page_may_bring_its_own_policy(site: Site) -> None:
    assert (await site.ask("GET", "/docs")).headers["content-security-policy"] == DOCS_POLICY
    assert (await site.ask("GET", "/own-policy")).headers["content-security-policy"] == "default-src 'self'"


async def test_another_origin_is_told_nothing(site: Site) -> None:
    answer = await site.get(origin=ORIGIN)
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    assert (await site.ask("OPTIONS", "/v1/query", headers=asked)).status == 401


async def test_a_listed_origin_may_call_and_is_answered_before_it_does(tmp_path: Path) -> None:
    async with open_site(tmp_path, cors_origins=[ORIGIN]) as site:
        asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
        preflight = await site.ask("OPTIONS", "/v1/echo", headers=asked)
        assert preflight.status == 204
        assert preflight.headers["access-control-allow-origin"] == ORIGIN
        assert "Authorization" in preflight.headers["access-control-allow-headers"]
        assert "PUT" in preflight.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in preflight.headers
        answer = await site.get(origin=ORIGIN)
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
        assert answer.headers["vary"] == "Origin"
        refused = await site.get(key="nobody-has-this-key", origin=ORIGIN)
        assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)
        for other in ("https://evil.example.com", "null", ORIGIN + ".evil.example", ORIGIN.upper()):
            answer = await site.get(origin=other)
            assert "access-control-allow-origin" not in answer.headers
            assert answer.headers["vary"] == "Origin"


async def test_a_body_where_none_belongs_is_refused(site: Site) -> None:
    for method in ("GET", "HEAD", "DELETE", "OPTIONS"):
        for announced in ({"content-length": "2"}, {"transfer-encoding": "chunked"}):
            answer = await site.ask(method, "/v1/who", b"{}", {"authorization": f"Bearer {ANN_KEY}", **announced})
            assert answer.status == 400, method
    assert (await site.ask("GET", "/healthz", headers={"content-length": "0"})).status == 200


async def test_whoever_has_no_key_has_no_body_read(site: Site) -> None:
    answer = await site.post(b"x" * 10, headers={"authorization": "Bearer nobody-has-this-key"}, ends=False)
    assert answer.status == 401


async def test_requests_of_a_user_are_counted_over_all_routes_and_keys(tmp_path: Path) -> None:
    async with open_site(tmp_path, rate_limit={"requests_per_minute": 6, "burst_size": 2}) as site:
        assert (await site.get()).status == 200
        assert (await site.get("/v1/none")).status == 404
        refused = await site.get()
        assert refused.status == 429
        assert refused.headers["retry-after"] == "10"
        assert refused.json["code"] == "rate_limited"
        assert (await site.get(key=BEN_KEY)).status == 200
        assert (await site.ask("GET", "/healthz")).status == 200
        site.room.clock.move(10)
        assert (await site.get()).status == 200


async def test_what_a_route_did_not_expect_is_logged_and_told_nobody(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = await site.get("/v1/broken")
    assert answer.status == 500
    assert answer.json["code"] == "internal"
    assert "boom" not in answer.body.decode()
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
    assert "GET /v1/broken 500" in caplog.text


async def test_half_an_answer_is_cut_off_and_never_ended(site: Site) -> None:
    with pytest.raises(RuntimeError, match="boom"):
        await site.get("/v1/half")


async def test_an_error_that_shows_a_secret_does_not(site: Site) -> None:
    answer = await site.get("/v1/gone")
    assert SECRET not in answer.body.decode()
    assert "[redacted:house]" in answer.json["error"]


async def test_only_http_passes(site: Site) -> None:
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    await site.edge({"type": "websocket", "path": "/v1/who", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
