from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http_app import Gateway, open_gateway

SECRET = "t0k3n-in-the-url-that-nobody-may-see"
NEW: dict[str, Any] = {
    "name": "ops",
    "channel_type": "webhook",
    "config": {"url": "https://hooks.example.com/"},
}


async def made(gateway: Gateway, **more: Any) -> dict[str, Any]:
    answer = await gateway.client_of("ann").post("/v1/notification-channels", json={**NEW, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_channel_is_made_shown_changed_and_forgotten(gateway: Gateway) -> None:
    ann, channel = gateway.client_of("ann"), await made(gateway, enabled=False)
    path = f"/v1/notification-channels/{channel['id']}"
    assert (channel["user_id"], channel["enabled"], channel["has_credential"]) == ("ann", False, False)
    assert (await ann.get(path)).json() == channel
    assert (await ann.get("/v1/notification-channels")).json() == [channel]
    moved = (await ann.put(path, json={"config": {"url": "https://b.example.com/"}, "enabled": True})).json()
    assert (moved["config"]["url"], moved["enabled"], moved["name"]) == ("https://b.example.com/", True, "ops")
    assert (await ann.put(path, json={"name": "ops", "channel_type": ""})).status_code == 200
    renamed = await ann.put(path, json={"name": "other"})
    assert (renamed.status_code, renamed.json()["fields"][0]["field"]) == (400, "name")
    assert (await ann.delete(path)).json() == {"status": "deleted"}
    assert (await ann.get(path)).status_code == 404


async def test_the_reference_of_a_credential_goes_in_and_never_comes_out(tmp_path: Path) -> None:
    told = {"secrets.providers": [{"type": "env", "prefix": "CHANNEL_"}]}
    async with open_gateway(tmp_path, told, CHANNEL_OPS="s" * 20) as gateway:
        ann = gateway.client_of("ann")
        answer = await ann.post("/v1/notification-channels", json={**NEW, "credential_ref": "env://CHANNEL_OPS"})
        assert answer.status_code == 201, answer.text
        path = answer.headers["location"]
        changed = await ann.put(path, json={"credential_ref": "env://CHANNEL_OPS"})
        for one in (answer, changed, await ann.get(path), await ann.get("/v1/notification-channels")):
            assert "CHANNEL_OPS" not in one.text
        assert changed.json()["has_credential"] is True


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"channel_type": "pigeon"}, 400),
        ({"config": {}}, 400),
        ({"config": {"url": "file:///etc/passwd"}}, 400),
        ({"config": {"uri": "https://a.example/"}}, 400),
        ({"name": "a b"}, 400),
        ({"user_id": "root"}, 400),
        ({"credential_ref": "env://OPENAI_API_KEY"}, 403),
    ],
)
async def test_a_channel_that_could_not_work_is_not_made(gateway: Gateway, given: dict[str, Any], status: int) -> None:
    answer = await gateway.client_of("ann").post("/v1/notification-channels", json={**NEW, **given})
    assert answer.status_code == status, answer.text
    assert (await gateway.client_of("ann").get("/v1/notification-channels")).json() == []


async def test_a_type_that_there_is_not_cannot_be_changed_to(gateway: Gateway) -> None:
    channel = await made(gateway)
    path = f"/v1/notification-channels/{channel['id']}"
    answer = await gateway.client_of("ann").put(path, json={"channel_type": "pigeon"})
    assert (answer.status_code, answer.json()["fields"][0]["field"]) == (400, "channel_type")


async def test_a_taken_name_is_409_a_key_makes_one_channel_and_a_change_needs_its_version(gateway: Gateway) -> None:
    ann, key = gateway.client_of("ann"), {"Idempotency-Key": "k"}
    first = await ann.post("/v1/notification-channels", json=NEW, headers=key)
    again = await ann.post("/v1/notification-channels", json=NEW, headers=key)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert (await ann.post("/v1/notification-channels", json=NEW)).status_code == 409
    path, tag = first.headers["location"], first.headers["etag"]
    assert (await ann.put(path, json={"enabled": False}, headers={"If-Match": tag})).status_code == 200
    assert (await ann.put(path, json={"enabled": True}, headers={"If-Match": tag})).status_code == 412
    assert (await ann.delete(path, headers={"If-Match": tag})).status_code == 412


async def test_a_test_that_is_not_sent_is_200_with_a_reason_that_holds_no_secret(gateway: Gateway) -> None:
    ann = gateway.client_of("ann")
    channel = await made(gateway, config={"url": f"https://127.0.0.1/{SECRET}"})
    answer = await ann.post(f"/v1/notification-channels/{channel['id']}/test")
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert answer.json()["error"]
    assert SECRET not in answer.text
    await ann.put(f"/v1/notification-channels/{channel['id']}", json={"enabled": False})
    off = (await ann.post(f"/v1/notification-channels/{channel['id']}/test")).json()
    assert off == {"status": "failed", "error": "the channel is disabled"}


async def test_without_notifications_there_are_no_channels(tmp_path: Path) -> None:
    async with open_gateway(tmp_path, {"notification.enabled": False, "alerting.enabled": False}) as gateway:
        assert (await gateway.client_of("ann").get("/v1/notification-channels")).status_code == 404
