from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from akili_cli.features.notifications import store
from akili_cli.features.notifications.model import State
from tests.contract.places import OpenDatabase, Place
from tests.fakes import message_services as services
from tests.fakes.message_services import HttpService, serving
from tests.fakes.notifications import ANN, open_room

TELEGRAM = {"TELEGRAM_BOT_TOKEN": services.TELEGRAM_TOKEN}


async def killed_while_sending(directory: Path, given: dict[str, Any], service: HttpService) -> None:
    """Run the outbox in a process of its own and kill it while the service keeps it waiting for an answer."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.contract.outbox_process", str(directory), json.dumps(given)
    )
    try:
        await asyncio.wait_for(service.hanging.wait(), 30)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


@pytest.mark.parametrize("kind", ["telegram", "webhook"])
async def test_what_was_on_its_way_when_akili_was_killed_is_repeated_only_where_that_is_harmless(
    kind: str, tmp_path: Path, place: Place, open_database: OpenDatabase
) -> None:
    service: HttpService = services.TelegramService() if kind == "telegram" else services.WebhookService()
    service.faults.append("hang")
    async with serving(service):
        settings = {"telegram": {"api_url": f"http://127.0.0.1:{service.port}"}}
        given: dict[str, Any] = {"settings": settings, "env": TELEGRAM, "private": (f"127.0.0.1:{service.port}",)}
        config = {"chat_id": "1"} if kind == "telegram" else {"url": f"http://127.0.0.1:{service.port}/hook"}
        db = await open_database()
        async with open_room(tmp_path, db=db, **given) as room:
            await room.service.add("ops", kind, config, ANN)
            (delivery,) = await room.queue("ops")
            await killed_while_sending(tmp_path, {**given, "place": tuple(place)}, service)
            left = await room.one(delivery)
            assert (left.state, left.in_flight, left.tries) == (State.SENDING, 0, 1)
            await room.tick()
            assert len(service.requests) == 1, "the lease has not run out yet"
            room.bench.clock.move(121)
            ended = await room.settle(delivery)
            await room.tick()
            if kind == "telegram":
                assert ended.state is State.INTERRUPTED
                assert "part 1 of 1 was on its way" in ended.reason
                assert len(service.requests) == 1
            else:
                assert (ended.state, ended.tries) == (State.SENT, 2)
                assert [got.headers["idempotency-key"] for got in service.requests] == [delivery.id] * 2


async def test_what_was_claimed_and_not_begun_is_sent_after_the_lease(
    tmp_path: Path, open_database: OpenDatabase
) -> None:
    service = services.TelegramService()
    async with serving(service):
        settings = {"telegram": {"api_url": f"http://127.0.0.1:{service.port}"}}
        db, private = await open_database(), (f"127.0.0.1:{service.port}",)
        async with open_room(tmp_path, db=db, settings=settings, env=TELEGRAM, private=private) as room:
            await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)
            (delivery,) = await room.queue("ops")
            now = room.bench.clock.now()
            (claimed,) = await db.write(lambda c: store.claim(c, "default", now, now + 120, 8))
            assert claimed.id == delivery.id
            await room.tick()
            assert service.requests == []
            room.bench.clock.move(121)
            assert (await room.settle(delivery)).state is State.SENT


async def test_two_nodes_never_take_the_same_delivery_or_channel(open_database: OpenDatabase, tmp_path: Path) -> None:
    one, two = await open_database(), await open_database()
    async with open_room(tmp_path, db=one) as room:
        for name in ("a", "b", "c"):
            await room.service.add(name, "telegram", {"chat_id": "1"}, ANN)
            for number in range(3):
                await room.queue(name, key=f"{name}{number}")
        now = room.bench.clock.now()

        async def claim(db: Any) -> list[str]:
            return [d.channel for d in await db.write(lambda c: store.claim(c, "default", now, now + 120, 8))]

        claimed = await asyncio.gather(*(claim(db) for db in (one, two) * 4))
        assert sorted(name for names in claimed for name in names) == ["a", "b", "c"]


async def test_the_oldest_message_of_a_channel_goes_first_and_one_at_a_time(
    open_database: OpenDatabase, tmp_path: Path
) -> None:
    service = services.TelegramService()
    async with serving(service):
        settings = {"telegram": {"api_url": f"http://127.0.0.1:{service.port}"}}
        db, private = await open_database(), (f"127.0.0.1:{service.port}",)
        async with open_room(tmp_path, db=db, settings=settings, env=TELEGRAM, private=private) as room:
            await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)
            for number in range(3):
                await room.queue("ops", key=str(number), body=f"message {number}")
                room.bench.clock.move(0.001)
            for number in range(3):
                await room.tick()
                assert len(service.taken) == number + 1
                room.bench.clock.move(1.0)
            assert [text.rpartition("\n")[2] for text in service.texts()] == ["message 0", "message 1", "message 2"]


async def test_a_notice_lives_and_dies_with_the_transaction_it_is_queued_in(
    open_database: OpenDatabase, tmp_path: Path
) -> None:
    from tests.fakes.notifications import notice

    db = await open_database()
    async with open_room(tmp_path, db=db) as room:
        await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)

        def failing(connection: Any) -> None:
            room.service.queue(connection, "default", notice("ops"), 1.0)
            raise ValueError("the room's own business failed")

        with pytest.raises(ValueError, match="own business"):
            await db.write(failing)
        assert await room.service.reader.deliveries() == []
        ids = await db.write(lambda c: room.service.queue(c, "default", notice("ops", "nobody", "ops"), 1.0))
        stored = [await room.service.reader.delivery(one) for one in ids]
        assert [(one.channel, one.state) for one in stored] == [("ops", State.QUEUED), ("nobody", State.FAILED)]
        assert await db.write(lambda c: room.service.queue(c, "default", notice("ops", "nobody"), 2.0)) == ids
        assert await db.read(lambda c: room.service.unknown(c, "default", ("ops", "x", "x"))) == ("x",)


async def test_channels_are_paged_found_by_id_changed_and_say_what_was_not_sent(
    open_database: OpenDatabase, tmp_path: Path
) -> None:
    async with open_room(tmp_path, db=await open_database()) as room:
        made = []
        for name in ("a", "b", "c"):
            made.append(await room.service.add(name, "telegram", {"chat_id": "1"}, ANN))
            room.bench.clock.move(1)
        reader = room.service.mine(ANN)
        first = await reader.page(limit=2)
        rest = await reader.page(before=(first[-1].created_at, first[-1].id))
        assert [one.name for one in (*first, *rest)] == ["c", "b", "a"]
        assert await reader.page(name="b") == [await reader.by_id(made[1].id)] == [made[1]]
        changed = await room.service.edit("a", ANN, config={"chat_id": "2"}, enabled=False)
        assert await reader.by_id(made[0].id) == changed
        stored = await room.queue("a", "gone", "b")
        assert set((await reader.not_sent([one.id for one in stored])).values()) == {
            ("a", "the channel is disabled"),
            ("gone", "there is no channel 'gone'"),
        }
