from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from akili_cli.core.schedule.base import Ended, Fire, FireStatus
from akili_cli.features.alerts.worker import as_due
from tests.fakes.http_app import Gateway, open_gateway

NEW: dict[str, Any] = {
    "name": "web",
    "target": "http://127.0.0.1:9/a",
    "check_type": "http_status",
    "cron_expression": "*/5 * * * *",
    "channels": ["ops"],
}
HOOK = {"name": "ops", "channel_type": "webhook", "config": {"url": "https://hooks.example.com/"}}


@pytest.fixture
async def ops(gateway: Gateway) -> str:
    """The id of a channel of ann's."""
    return str((await gateway.client_of("ann").post("/v1/notification-channels", json=HOOK)).json()["id"])


async def made(gateway: Gateway, **more: Any) -> dict[str, Any]:
    answer = await gateway.client_of("ann").post("/v1/alerts", json={**NEW, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_rule_is_made_with_its_defaults_shown_changed_and_forgotten(gateway: Gateway, ops: str) -> None:
    ann, rule = gateway.client_of("ann"), await made(gateway)
    path = f"/v1/alerts/{rule['id']}"
    assert rule["check_config"] == {"url": NEW["target"]}
    assert (rule["cooldown_seconds"], rule["last_status"], rule["enabled"]) == (300, "ok", True)
    assert (rule["channels"], rule["channel_ids"], rule["user_id"]) == (["ops"], [ops], "ann")
    assert (await ann.get(path)).json() == rule
    assert (await ann.get("/v1/alerts")).json() == [rule]
    moved = (await ann.put(path, json={"target": "http://127.0.0.1:9/b", "cooldown_seconds": 0})).json()
    assert (moved["check_config"]["url"], moved["cooldown_seconds"]) == ("http://127.0.0.1:9/b", 300)
    whole = {"check_config": {"url": "http://127.0.0.1:9/c", "expected_status": "204"}, "enabled": False}
    changed = (await ann.put(path, json=whole)).json()
    assert (changed["check_config"], changed["enabled"]) == (whole["check_config"], False)
    assert (await ann.delete(path)).json() == {"status": "deleted"}
    assert (await ann.get(path)).status_code == 404


@pytest.mark.parametrize(
    "given",
    [
        {"channels": ["nowhere"]},
        {"channels": []},
        {"check_type": "pigeon"},
        {"target": "ftp://a.example"},
        {"cron_expression": "0 0 31 2 *"},
        {"cooldown_seconds": -1},
        {"last_status": "alert"},
        {"check_config": {"expected_status": 204}},
    ],
)
async def test_a_rule_that_could_not_work_is_400(gateway: Gateway, ops: str, given: dict[str, Any]) -> None:
    answer = await gateway.client_of("ann").post("/v1/alerts", json={**NEW, **given})
    assert answer.status_code == 400, answer.text


async def test_a_taken_name_is_409_and_a_key_makes_one_rule(gateway: Gateway, ops: str) -> None:
    ann, key = gateway.client_of("ann"), {"Idempotency-Key": "k"}
    first = await ann.post("/v1/alerts", json=NEW, headers=key)
    again = await ann.post("/v1/alerts", json=NEW, headers=key)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert (await ann.post("/v1/alerts", json=NEW)).status_code == 409


async def test_a_change_needs_the_version_it_names(gateway: Gateway, ops: str) -> None:
    ann, rule = gateway.client_of("ann"), await made(gateway)
    path = f"/v1/alerts/{rule['id']}"
    tag = (await ann.get(path)).headers["etag"]
    assert (await ann.put(path, json={"description": "x"}, headers={"If-Match": tag})).status_code == 200
    assert (await ann.put(path, json={"description": "y"}, headers={"If-Match": tag})).status_code == 412
    assert (await ann.delete(path, headers={"If-Match": tag})).status_code == 412


async def test_a_rule_is_muted_for_a_while_and_speaks_again(gateway: Gateway, ops: str) -> None:
    ann, rule = gateway.client_of("ann"), await made(gateway)
    path = f"/v1/alerts/{rule['id']}/mute"
    assert (await ann.post(path, json={"duration": "2h"})).json()["muted_until"] > rule["created_at"]
    assert "muted_until" not in (await ann.delete(path)).json()
    for wrong in ("0s", "9000h", "soon"):
        answer = await ann.post(path, json={"duration": wrong})
        assert (answer.status_code, answer.json()["fields"][0]["field"]) == (400, "duration")


async def test_a_test_looks_as_the_caller_and_tells_what_kept_it_from_looking(gateway: Gateway, ops: str) -> None:
    rule = await made(gateway, check_type="command", target="true", check_config={})
    answer = await gateway.client_of("ann").post(f"/v1/alerts/{rule['id']}/test")
    assert answer.status_code == 200
    assert answer.json()["status"] in ("ok", "error")
    refused = await made(gateway, name="refused")
    answer = await gateway.client_of("ann").post(f"/v1/alerts/{refused['id']}/test")
    assert (answer.status_code, answer.json()["status"], answer.json()["refused"]) == (200, "error", True)
    assert (await gateway.client_of("ann").get(f"/v1/alerts/{refused['id']}/history")).json() == []


async def test_the_history_tells_what_was_found_whom_it_told_and_where_that_failed(gateway: Gateway, ops: str) -> None:
    ann, rule = gateway.client_of("ann"), await made(gateway, cooldown_seconds=1)
    await ann.put(f"/v1/notification-channels/{ops}", json={"enabled": False})
    found = await gateway.app.alerts.reader.rule(rule["id"])
    (schedule,) = [one for one in gateway.ticking.ticker._player.schedules.values() if one.kind == "alert"]
    fire = Fire(
        id="alert:x:1",
        org="default",
        kind="alert",
        job_id=found.id,
        fire_at=1.0,
        user="ann",
        payload=as_due(found).payload,
        node="n",
    )
    ended = Ended(status=FireStatus.OK, summary="down", details={"found": "alert", "check_duration_ms": 1.5})
    now = gateway.app.state.clock.now()
    await gateway.app.state.db.write(lambda c: schedule.ended(c, fire, ended, now))
    (line,) = (await ann.get(f"/v1/alerts/{rule['id']}/history")).json()
    assert (line["status"], line["previous_status"], line["message"]) == ("alert", "ok", "down")
    assert (line["notified_via"], line["notify_errors"]) == ([ops], {"ops": "the channel is disabled"})
    assert (line["alert_rule_id"], line["check_duration_ms"]) == (rule["id"], 1.5)


async def test_without_notifications_there_are_no_rules(tmp_path: Path) -> None:
    async with open_gateway(tmp_path, {"notification.enabled": False, "alerting.enabled": False}) as gateway:
        answer = await gateway.client_of("ann").get("/v1/alerts")
        assert (answer.status_code, answer.json()["hint"]) == (404, "set notification.enabled: true")
