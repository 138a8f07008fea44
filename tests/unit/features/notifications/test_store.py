from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.domain.errors import ConflictError
from akili_cli.features.notifications import store
from akili_cli.features.notifications.model import State
from tests.fakes.notifications import ANN, open_room


async def test_a_name_is_taken_once(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        channel = await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)
        with pytest.raises(ConflictError):
            await room.bench.db.write(lambda c: store.add_channel(c, channel))


async def test_a_part_is_begun_only_in_its_turn_and_by_whoever_is_sending(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)
        (delivery,) = await room.queue("ops")
        db = room.bench.db
        assert not await db.write(lambda c: store.begin_part(c, "default", delivery.id, 0, 2, 9.0))
        assert await db.write(lambda c: store.begin(c, "default", delivery.id, 9.0)) is None
        (claimed,) = await db.write(lambda c: store.claim(c, "default", delivery.due_at, 9e12, 8))
        assert await db.write(lambda c: store.begin(c, "default", claimed.id, 9.0)) is not None
        assert await db.write(lambda c: store.begin(c, "default", claimed.id, 9.0)) is None
        assert not await db.write(lambda c: store.begin_part(c, "default", delivery.id, 1, 2, 9.0))
        assert await db.write(lambda c: store.begin_part(c, "default", delivery.id, 0, 2, 9.0))
        await db.write(lambda c: store.part_done(c, "default", delivery.id, 0))
        assert not await db.write(lambda c: store.begin_part(c, "default", delivery.id, 0, 2, 9.0))


async def test_what_has_ended_stays_ended(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)
        (delivery,) = await room.queue("ops")
        db = room.bench.db
        (claimed,) = await db.write(lambda c: store.claim(c, "default", delivery.due_at, 9e12, 8))
        assert await db.write(lambda c: store.settle(c, claimed, State.SENT, reason="", due_at=1.0, now=1.0))
        assert not await db.write(lambda c: store.settle(c, claimed, State.FAILED, reason="x", due_at=1.0, now=1.0))
        assert (await room.one(delivery)).state is State.SENT


async def test_organisations_do_not_see_each_other(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        await room.service.add("ops", "telegram", {"chat_id": "1"}, ANN)
        (delivery,) = await room.queue("ops")
        db = room.bench.db
        assert await db.read(lambda c: store.channels(c, "other")) == []
        assert await db.read(lambda c: store.delivery(c, "other", delivery.id)) is None
        assert await db.write(lambda c: store.claim(c, "other", 9e12, 9e12, 8)) == []


async def test_deliveries_are_listed_newest_first_by_channel_and_state(tmp_path: Path) -> None:
    async with open_room(tmp_path) as room:
        for name in ("a", "b"):
            await room.service.add(name, "telegram", {"chat_id": "1"}, ANN)
        for number in range(3):
            await room.queue("a", "b", "gone", key=str(number))
            room.bench.clock.move(1)
        reader = room.service.reader
        assert [d.key for d in await reader.deliveries(channel="a")] == ["2", "1", "0"]
        assert len(await reader.deliveries(limit=4)) == 4
        assert {d.channel for d in await reader.deliveries(states=[State.FAILED])} == {"gone"}
        assert len(await reader.deliveries(states=[State.FAILED, State.QUEUED])) == 9
