from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from akili_cli.core.audit.reader import AuditReader
from tests.fakes.http_app import Gateway, open_gateway

NEW: dict[str, Any] = {"name": "nightly", "cron_expression": "0 3 * * *", "goal": "Is nothing known?"}


async def made(gateway: Gateway, user: str = "ann", **more: Any) -> dict[str, Any]:
    answer = await gateway.client_of(user).post("/v1/cronjobs", json={**NEW, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_job_is_made_shown_changed_and_forgotten(gateway: Gateway) -> None:
    ann = gateway.client_of("ann")
    answer = await ann.post("/v1/cronjobs", json={**NEW, "enabled": False, "budget_limit_usd": 0.5})
    job = answer.json()
    path = f"/v1/cronjobs/{job['id']}"
    assert answer.headers["location"] == path
    assert (job["user_id"], job["enabled"], job["budget_limit_usd"], job["description"]) == ("ann", False, 0.5, "")
    shown = await ann.get(path)
    assert (shown.json(), shown.headers["etag"]) == (job, answer.headers["etag"])
    changed = await ann.put(path, json={"goal": "other", "cron_expression": "30 4 * * *", "enabled": True})
    assert changed.json()["goal"] == "other"
    assert changed.json()["next_run_at"] != job["next_run_at"]
    assert changed.json()["user_id"] == "ann"
    assert (await ann.put(path, json={"clear": ["budget_limit_usd"]})).json()["budget_limit_usd"] == 0
    gone = await ann.delete(path)
    assert (gone.status_code, gone.json()) == (200, {"status": "deleted"})
    assert (await ann.get(path)).status_code == 404
    records = [entry.record for entry in await AuditReader(gateway.app.state.db, "default").tail(50)]
    done = [(one.tool, one.user, one.source) for one in records if one.tool.startswith("cron.")]
    assert done == [("cron.add", "ann", "http"), *[("cron.edit", "ann", "http")] * 2, ("cron.rm", "ann", "http")]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"max_depth": 3}, "max_depth"),
        ({"max_tasks": 3}, "max_tasks"),
        ({"user_id": "root"}, "user_id"),
        ({"name": "a/b"}, "name"),
        ({"goal": None}, "goal"),
    ],
)
async def test_what_does_not_fit_is_400_and_named(gateway: Gateway, given: dict[str, Any], field: str) -> None:
    answer = await gateway.client_of("ann").post("/v1/cronjobs", json={**NEW, **given})
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["fields"]] == [field]


async def test_an_expression_that_never_fires_a_taken_name_and_a_malformed_id_are_refused(gateway: Gateway) -> None:
    ann = gateway.client_of("ann")
    for expression in ("0 0 31 2 *", "@daily", "often"):
        assert (await ann.post("/v1/cronjobs", json={**NEW, "cron_expression": expression})).status_code == 400
    await made(gateway)
    assert (await ann.post("/v1/cronjobs", json=NEW)).status_code == 409
    assert (await ann.get("/v1/cronjobs/nightly")).status_code == 400
    assert (await gateway.client_of("vic").post("/v1/cronjobs", json=NEW)).status_code == 403


async def test_jobs_are_listed_newest_first_in_pages_and_by_name(gateway: Gateway) -> None:
    ann = gateway.client_of("ann")
    for at in range(3):
        await made(gateway, name=f"j{at}")
    first = await ann.get("/v1/cronjobs", params={"limit": 2})
    assert [job["name"] for job in first.json()] == ["j2", "j1"]
    rest = await ann.get(first.headers["link"].partition(">")[0][1:])
    assert [job["name"] for job in rest.json()] == ["j0"]
    assert "link" not in rest.headers
    assert [job["name"] for job in (await ann.get("/v1/cronjobs", params={"name": "j1"})).json()] == ["j1"]
    for wrong in ({"limit": 0}, {"limit": 201}, {"cursor": "x"}):
        assert (await ann.get("/v1/cronjobs", params=wrong)).status_code == 400


async def test_a_job_that_was_changed_meanwhile_is_left_as_it_is(gateway: Gateway) -> None:
    ann, job = gateway.client_of("ann"), await made(gateway)
    path = f"/v1/cronjobs/{job['id']}"
    tag = (await ann.get(path)).headers["etag"]
    assert (await ann.get(path, headers={"If-None-Match": tag})).status_code == 304
    assert (await ann.put(path, json={"goal": "x"}, headers={"If-Match": tag})).status_code == 200
    late = await ann.put(path, json={"goal": "y"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert (await ann.delete(path, headers={"If-Match": tag})).status_code == 412
    assert (await ann.get(path)).json()["goal"] == "x"


async def test_a_job_is_made_once_under_a_key(gateway: Gateway) -> None:
    ann, key = gateway.client_of("ann"), {"Idempotency-Key": "k-1"}
    first = await ann.post("/v1/cronjobs", json=NEW, headers=key)
    again = await ann.post("/v1/cronjobs", json=NEW, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    other = await ann.post("/v1/cronjobs", json={**NEW, "name": "x"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert len((await ann.get("/v1/cronjobs")).json()) == 1
    theirs = await gateway.client_of("ben").post("/v1/cronjobs", json={**NEW, "name": "bens"}, headers=key)
    assert theirs.status_code == 201
    for wrong in ("a b", "x" * 129, ""):
        answer = await ann.post("/v1/cronjobs", json=NEW, headers={"Idempotency-Key": wrong})
        assert answer.status_code == 400
        assert [one["field"] for one in answer.json()["fields"]] == ["Idempotency-Key"]


async def test_a_triggered_job_runs_once_as_the_requester_and_stands_in_its_history(gateway: Gateway) -> None:
    job, root = await made(gateway), gateway.client_of("root")
    path, key = f"/v1/cronjobs/{job['id']}", {"Idempotency-Key": "now"}
    begun = await root.post(f"{path}/trigger", headers=key)
    assert (begun.status_code, begun.json()["user_id"]) == (202, "root")
    assert (await root.post(f"{path}/trigger", headers=key)).json() == begun.json()
    while (runs := (await root.get(f"{path}/history")).json())[0]["status"] == "running":
        await asyncio.sleep(0.01)
    assert [(run["id"], run["user_id"], run["manual"]) for run in runs] == [(begun.json()["id"], "root", True)]
    assert runs[0]["summary"]
    (seen,) = (await gateway.client_of("ann").get(f"{path}/history")).json()
    assert (seen["status"], seen["summary"], seen["error"]) == (runs[0]["status"], "", "")


async def test_the_next_times_of_a_job_are_told(gateway: Gateway) -> None:
    job = await made(gateway, cron_expression="CRON_TZ=Europe/Berlin 30 4 * * *")
    answer = await gateway.client_of("ann").get(f"/v1/cronjobs/{job['id']}/next", params={"n": 3})
    assert (answer.json()["timezone"], len(answer.json()["next"])) == ("Europe/Berlin", 3)
    assert answer.json()["next"][0] == job["next_run_at"]
    assert (await gateway.client_of("ann").get(f"/v1/cronjobs/{job['id']}/next?n=101")).status_code == 400


async def test_without_the_scheduler_there_are_no_jobs(tmp_path: Path) -> None:
    async with open_gateway(tmp_path, {"scheduler.enabled": False}) as gateway:
        answer = await gateway.client_of("ann").get("/v1/cronjobs")
        assert (answer.status_code, answer.json()["hint"]) == (404, "set scheduler.enabled: true")
