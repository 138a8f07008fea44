from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.held import TEAM, grave, held
from tests.fakes.http_app import Gateway, open_gateway


@pytest.fixture
async def team(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, TEAM) as opened:
        yield opened


async def listed(team: Gateway, user: str, query: str = "") -> list[str]:
    answer = await team.client_of(user).get(f"/v1/approvals{query}")
    assert answer.status_code == 200, answer.text
    return [card["id"] for card in answer.json()]


async def test_each_sees_their_own_and_what_they_may_rule_on(team: Gateway) -> None:
    low, high = await held(team), await held(team, call=grave())
    theirs = await held(team, "ben", grave())
    seen = {user: set(await listed(team, user)) for user in ("ann", "ben", "root", "vic")}
    assert seen == {"ann": {low, high}, "ben": {low, high, theirs}, "root": {low, high, theirs}, "vic": set()}
    client = team.client_of("ann")
    statuses = [(await client.get(f"/v1/approvals/{one}")).status_code for one in (low, high, theirs, "0" * 32)]
    assert statuses == [200, 200, 404, 404]


async def test_a_card_is_whole(team: Gateway) -> None:
    approval = await held(team, untrusted=("file /x",))
    card = (await team.client_of("ann").get(f"/v1/approvals/{approval}")).json()
    assert card == (await team.client_of("ben").get("/v1/approvals")).json()[0]
    assert (card["tool"], card["user"], card["source"], card["untrusted"]) == ("file_write", "ann", "http", ["file /x"])
    assert card["arguments"]["content"] == "held"
    assert card["cost"]["remaining_usd"] > 0
    assert {"digest", "effects", "because", "expires_at", "run_id", "waits", "sandbox"} <= set(card)


async def test_the_list_is_by_status_and_in_pages(team: Gateway) -> None:
    ids = [await held(team) for _ in range(3)]
    await team.client_of("ben").post("/v1/approve", json={"approval_id": ids[0], "decision": "deny"})
    assert set(await listed(team, "ben", "?status=pending")) == set(ids[1:])
    assert await listed(team, "ben", "?status=denied") == ids[:1]
    first = await team.client_of("ben").get("/v1/approvals?limit=2")
    rest = await listed(team, "ben", f"?limit=2&cursor={first.headers['X-Next-Cursor']}")
    assert {card["id"] for card in first.json()} | set(rest) == set(ids)


async def test_a_query_that_does_not_fit_is_refused(team: Gateway) -> None:
    for query in ("?status=open", "?limit=0", "?limit=201", "?cursor=x"):
        answer = await team.client_of("ann").get(f"/v1/approvals{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body"), query


async def test_a_card_that_did_not_change_is_not_sent_again(team: Gateway) -> None:
    path = f"/v1/approvals/{await held(team)}"
    tag = (await team.client_of("ann").get(path)).headers["ETag"]
    assert (await team.client_of("ann").get(path, headers={"If-None-Match": tag})).status_code == 304
