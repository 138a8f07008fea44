from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, PolicyDeniedError
from akili_cli.features.notifications import store
from akili_cli.features.notifications.model import Delivery, State
from tests.fakes import message_services as services
from tests.fakes.message_services import TelegramService, serving
from tests.fakes.notifications import ANN, Room, open_room
from tests.fakes.permits import permit_for

ENV = {"TELEGRAM_BOT_TOKEN": services.TELEGRAM_TOKEN}


@asynccontextmanager
async def sending(tmp_path: Path, env: dict[str, str] = ENV) -> AsyncIterator[tuple[Room, TelegramService, Delivery]]:
    service = TelegramService()
    async with serving(service):
        settings = {"telegram": {"api_url": f"http://127.0.0.1:{service.port}"}}
        async with open_room(tmp_path, settings=settings, env=env, private=(f"127.0.0.1:{service.port}",)) as room:
            await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)
            (queued,) = await room.queue("ops", user="tester")
            (claimed,) = await room.bench.db.write(lambda c: store.claim(c, "default", queued.due_at, 9e12, 8))
            yield room, service, claimed


async def test_it_reaches_only_what_the_permit_names(tmp_path: Path) -> None:
    async with sending(tmp_path) as (room, service, delivery):
        host = f"127.0.0.1:{service.port}"
        with pytest.raises(PolicyDeniedError, match="permit does not name"):
            await room.courier.deliver(delivery.id, "ops", host, permit_for(Effects(channels=("ops",))))
        assert service.requests == []
        assert (await room.one(delivery)).state is State.FAILED


async def test_it_sends_once_however_often_it_is_asked(tmp_path: Path) -> None:
    async with sending(tmp_path) as (room, service, delivery):
        host = f"127.0.0.1:{service.port}"
        permit = permit_for(Effects(hosts=(host,)))
        assert (await room.courier.deliver(delivery.id, "ops", host, permit)).state is State.SENT
        with pytest.raises(ConflictError, match="is sent"):
            await room.courier.deliver(delivery.id, "ops", host, permit)
        assert len(service.requests) == 1


@pytest.mark.parametrize("change", ["delivery", "channel", "user", "host"])
async def test_a_call_that_does_not_fit_its_delivery_is_refused(tmp_path: Path, change: str) -> None:
    async with sending(tmp_path) as (room, service, delivery):
        host = "127.0.0.1:9" if change == "host" else f"127.0.0.1:{service.port}"
        permit = permit_for(Effects(hosts=(host,)))
        ours = (await room.queue("ops", key="k2", user="ann"))[0] if change == "user" else delivery
        with pytest.raises(PolicyDeniedError):
            await room.courier.deliver(
                "nothing" if change == "delivery" else ours.id, "x" if change == "channel" else "ops", host, permit
            )
        assert service.requests == []


@pytest.mark.parametrize("change", ["removed", "disabled", "no token", "bad token", "unknown type"])
async def test_a_channel_that_cannot_be_used_any_more_is_a_failure_with_its_reason(tmp_path: Path, change: str) -> None:
    env = {"no token": {}, "bad token": {"TELEGRAM_BOT_TOKEN": "s3cret-but-no-token"}}.get(change, ENV)
    async with sending(tmp_path, env) as (room, service, delivery):
        if change == "removed":
            await room.service.remove("ops", ANN)
        if change == "disabled":
            await room.service.enable("ops", ANN, enabled=False)
        if change == "unknown type":
            await room.bench.db.write(lambda c: c.execute("UPDATE notification_channels SET type = 'pigeon'"))
        host = await room.courier.endpoint("ops") or f"127.0.0.1:{service.port}"
        after = await room.courier.deliver(delivery.id, "ops", host, permit_for(Effects(hosts=(host,))))
        assert after.state is State.FAILED
        assert after.reason
        assert "s3cret" not in after.reason
        assert service.requests == []


async def test_a_service_that_asks_to_wait_for_days_is_given_up(tmp_path: Path) -> None:
    async with sending(tmp_path) as (room, service, delivery):
        service.refused = lambda _fault: (429, {"parameters": {"retry_after": 999_999}}, {})  # type: ignore[method-assign]
        service.faults.append("limited")
        host = f"127.0.0.1:{service.port}"
        after = await room.courier.deliver(delivery.id, "ops", host, permit_for(Effects(hosts=(host,))))
        assert after.state is State.FAILED
        assert "asks to wait" in after.reason
