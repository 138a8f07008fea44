from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from akili_cli.features.webhooks.signatures import HEADER, signature_of
from tests.fakes.http_app import Gateway, open_gateway

SECRET = "9fQ2wLx7ZrT4bVn8"
HOOK = {"user": "vic", "secret": "env://HOOK_SECRET", "goal": "Is this host healthy?"}
TOLD = {
    "gateways.http.webhooks": [
        {**HOOK, "name": "am", "kind": "alertmanager", "max_per_hour": 2},
        {**HOOK, "name": "ci", "kind": "signed"},
    ]
}
TOKEN = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture
async def hooked(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, TOLD, HOOK_SECRET=SECRET) as opened:
        yield opened


def alerts(*fingerprints: str, status: str = "firing") -> dict[str, Any]:
    told = [{"fingerprint": one, "status": status, "labels": {"alertname": "DiskFull"}} for one in fingerprints]
    return {"version": "4", "status": status, "receiver": "akili", "alerts": told}


async def deliver(gateway: Gateway, name: str, body: object, headers: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(gateway.edge)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as nobody:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"}
        return await nobody.post(f"/v1/webhooks/{name}", content=content, headers={**kind, **headers})


def signed(gateway: Gateway, body: bytes, off: int = 0) -> dict[str, str]:
    at = str(int(gateway.desk.clock.now()) + off)
    return {HEADER: f"t={at},v1={signature_of(SECRET, at, body)}"}


async def ended(gateway: Gateway, run_id: str) -> dict[str, Any]:
    async for _ in gateway.desk.live.follow(run_id):
        pass
    while (run := (await gateway.client_of("root").get(f"/v1/runs/{run_id}")).json())["status"] == "running":
        await asyncio.sleep(0.01)
    return dict(run)


async def test_alertmanager_begins_a_run_that_only_looks_with_what_it_said_as_outside_text(hooked: Gateway) -> None:
    answer = await deliver(hooked, "am", alerts("aa11"), TOKEN)
    assert (answer.status_code, answer.json()["status"]) == (202, "running"), answer.text
    run = await ended(hooked, answer.json()["run_id"])
    assert (run["user_id"], run["source"], run["message"]) == ("vic", "http", "Is this host healthy?")
    query = (await hooked.desk.queries.list(hooked_root(hooked)))[0].draft
    assert (query.read_only, query.attachments[0].label) == (True, "webhook am")
    assert "DiskFull" in query.attachments[0].text


def hooked_root(gateway: Gateway) -> Any:
    from akili_cli.domain.calls import Principal, Source

    return Principal("root", Source.HTTP, org=gateway.desk.org)


async def test_what_was_reported_within_the_hour_begins_nothing_more(hooked: Gateway) -> None:
    first = (await deliver(hooked, "am", alerts("aa11"), TOKEN)).json()["run_id"]
    again = (await deliver(hooked, "am", alerts("aa11"), TOKEN)).json()
    assert again == {"run_id": first, "status": "duplicate"}
    other = await deliver(hooked, "am", alerts("aa11", status="resolved"), TOKEN)
    assert (other.status_code, other.json()["status"]) == (202, "running")
    third = await deliver(hooked, "am", alerts("bb22"), TOKEN)
    assert (third.status_code, third.json()["code"]) == (429, "rate_limited")
    assert int(third.headers["Retry-After"]) > 3000


async def test_a_signed_delivery_begins_a_run_once(hooked: Gateway) -> None:
    body = b'{"build": 7}'
    headers = signed(hooked, body)
    assert (await deliver(hooked, "ci", body, headers)).status_code == 202
    again = await deliver(hooked, "ci", body, headers)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_without_proof_nothing_begins_and_it_is_not_told_what_there_is(hooked: Gateway) -> None:
    body, key = alerts("aa11"), {"Authorization": "Bearer kZ8d0fPq2LwX9aRt"}
    answers = [
        await deliver(hooked, name, body, headers)
        for name in ("am", "ci", "nosuch")
        for headers in ({}, key, {"Authorization": "Bearer x"}, {HEADER: "t=1,v1=" + "0" * 64})
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["error"] for answer in answers}) == 1
    assert (await hooked.client_of("root").get("/v1/runs")).json() == []


async def test_a_body_that_does_not_fit_is_refused(hooked: Gateway) -> None:
    for body, status in ((b"{", 400), (b'{"a": 1, "a": 2}', 400), (b"[]", 400), (b'{"alerts": []}', 400), (b"", 400)):
        answer = await deliver(hooked, "am", body, TOKEN)
        assert answer.status_code == status, (body, answer.text)
    wrong = await deliver(hooked, "am", {"alerts": [{"fingerprint": "a", "status": "?"}]}, TOKEN)
    assert wrong.json()["fields"][0]["field"] == "alerts.0.status"
    plain = await deliver(hooked, "am", b"a=b", {**TOKEN, "Content-Type": "application/x-www-form-urlencoded"})
    assert plain.status_code == 415


async def test_what_could_not_begin_may_come_again(hooked: Gateway) -> None:
    object.__setattr__(hooked.desk.queries, "max_running", 0)
    busy = await deliver(hooked, "am", alerts("aa11"), TOKEN)
    assert (busy.status_code, busy.json()["code"]) == (429, "busy")
    object.__setattr__(hooked.desk.queries, "max_running", 8)
    assert (await deliver(hooked, "am", alerts("aa11"), TOKEN)).json()["status"] == "running"


async def test_no_other_path_goes_without_a_key(hooked: Gateway) -> None:
    paths = (
        "/v1",
        "/v1/",
        "/v1/webhooks",
        "/v1/webhooks/",
        "/v1/webhooks/am/x",
        "/v1/webhooks/../query",
        "/v1//webhooks/am",
    )
    transport = httpx.ASGITransport(hooked.edge)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as nobody:
        for path in (*paths, "/v1/webhooksx/am", "/V1/webhooks/am"):
            answer = await nobody.post(path, json={}, headers=TOKEN)
            assert answer.status_code in (401, 404, 405), path
            assert answer.status_code == 401 or not path.startswith("/v1"), path
        for path in {route for route in _paths(hooked) if route.startswith("/v1")} - {"/v1/webhooks/{name}"}:
            assert (await nobody.get(path.replace("{", "").replace("}", ""))).status_code == 401, path


def _paths(gateway: Gateway) -> set[str]:
    return set(gateway.api.openapi()["paths"])


async def test_the_description_says_that_no_key_is_needed_here_alone(hooked: Gateway) -> None:
    paths = (await hooked.client_of("ann").get("/openapi.json")).json()["paths"]
    keyless = {
        path
        for path, ways in paths.items()
        for way in ways.values()
        if path.startswith("/v1") and not way.get("security")
    }
    assert keyless == {"/v1/webhooks/{name}"}
