from __future__ import annotations

from akili_cli.domain.calls import ToolCall
from tests.fakes.held import run_of
from tests.fakes.http_app import Gateway


async def look(gateway: Gateway, user: str, path: str = "/nowhere") -> None:
    await gateway.app.pipeline.run(ToolCall("call", "file_read", {"path": path}), run_of(user))


async def test_somebody_reads_their_own_record_and_an_admin_everybodys(gateway: Gateway) -> None:
    for user in ("ann", "ben"):
        await look(gateway, user)
    seen = {}
    for user in ("ann", "ben", "root"):
        found = (await gateway.client_of(user).get("/v1/audit?tool=file_read")).json()
        seen[user] = sorted(one["user"] for one in found)
    assert seen == {"ann": ["ann"], "ben": ["ben"], "root": ["ann", "ben"]}
    only = (await gateway.client_of("root").get("/v1/audit?tool=file_read&user=ben")).json()
    assert [one["user"] for one in only] == ["ben"]


async def test_others_are_not_asked_about(gateway: Gateway) -> None:
    answer = await gateway.client_of("ann").get("/v1/audit?user=ben")
    assert (answer.status_code, answer.json()["code"]) == (403, "policy_denied")
    assert (await gateway.client_of("ann").get("/v1/audit?user=ann")).status_code == 200


async def test_the_record_is_searched_by_what_stands_in_it(gateway: Gateway) -> None:
    await look(gateway, "ann", "/srv/needle")
    ann = gateway.client_of("ann")
    for query, count in (
        ("text=NEEDLE", 1),
        ("text=haystack", 0),
        ("correlation_id=" + "c" * 16, 1),
        ("result=success", 0),
        ("since=1h", 1),
        ("until=1h", 0),
        ("until=2000-01-01", 0),
        ("rule=nosuch", 0),
    ):
        assert len((await ann.get(f"/v1/audit?tool=file_read&{query}")).json()) == count, query


async def test_pages_hold_each_entry_once_newest_first(gateway: Gateway) -> None:
    for _ in range(5):
        await look(gateway, "ann")
    ann, found, path = gateway.client_of("ann"), [], "/v1/audit?tool=file_read&limit=2"
    while path:
        page = await ann.get(path)
        found += [one["id"] for one in page.json()]
        path = page.links["next"]["url"] if "Link" in page.headers else ""
    assert len(found) == len(set(found)) == 5
    whole = (await ann.get("/v1/audit?tool=file_read")).json()
    assert found == [one["id"] for one in whole]


async def test_what_means_nothing_is_refused(gateway: Gateway) -> None:
    for query in ("since=yesterday", "until=5", "limit=0", "text=", "color=red", "cursor=!"):
        assert (await gateway.client_of("ann").get(f"/v1/audit?{query}")).status_code == 400, query


async def test_an_admin_has_the_record_verified(gateway: Gateway) -> None:
    await look(gateway, "ann")
    told = (await gateway.client_of("root").post("/v1/audit/verify", json={})).json()
    assert (told["ok"], told["problems"]) == (True, [])
    assert told["records"] > 0
    await gateway.app.state.db.write(lambda conn: conn.execute("UPDATE audit_events SET user_id = 'eve'", {}))
    assert (await gateway.client_of("root").post("/v1/audit/verify")).json()["ok"] is False


async def test_nobody_else_does_and_only_one_at_a_time(gateway: Gateway) -> None:
    assert (await gateway.client_of("ann").post("/v1/audit/verify")).status_code == 403
    root = gateway.client_of("root")
    async with gateway.desk.verifier._one:
        assert (await root.post("/v1/audit/verify")).status_code == 429
    assert (await root.post("/v1/audit/verify")).status_code == 200
