from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.engine.backends.inline import InlineEngine
from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.storage.schema import STEPS
from akili_cli.core.schedule.base import Ended, Fire
from akili_cli.core.schedule.player import Player
from akili_cli.core.schedule.ticker import PING_S, Ticker
from tests.fakes.clock import FakeClock
from tests.fakes.schedule import PROBE_STEP, ProbeSchedule, add_probe_job


async def _recorded(_fire: Fire, _ended: Ended | None) -> None:
    pass


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = await open_sqlite(tmp_path / "a.db", steps=(*STEPS, PROBE_STEP))
    yield opened
    await opened.close()


@pytest.mark.parametrize(("due_in", "pause"), [(0.5, 0.5), (900.0, 1.0), (None, 1.0)])
async def test_the_pause_is_until_the_next_job_or_the_next_look(
    db: SqliteDatabase, due_in: float | None, pause: float
) -> None:
    clock = FakeClock()
    player = Player(db, "default", "n1", [ProbeSchedule()], _recorded, clock)
    ticker = Ticker(db, "default", "n1", player, InlineEngine("n1", player.bodies(), clock), clock)
    await ticker.begin()
    if due_in is not None:
        await db.write(lambda c: add_probe_job(c, "j", "0 * * * *", clock.now() + due_in))
    assert await ticker.tick() == pause


async def test_without_rooms_it_only_says_that_it_is_alive(db: SqliteDatabase) -> None:
    clock = FakeClock()
    player = Player(db, "default", "n1", [], _recorded, clock)
    ticker = Ticker(db, "default", "n1", player, InlineEngine("n1", {}, clock), clock)
    await ticker.begin()
    clock.move(PING_S)
    assert await ticker.tick() == PING_S
    assert await db.read(lambda c: c.execute("SELECT seen_at FROM nodes")) == [{"seen_at": clock.now()}]


async def test_fire_times_that_never_run_are_on_record_once(db: SqliteDatabase) -> None:
    clock = FakeClock()
    told: list[tuple[str, str]] = []

    async def record(fire: Fire, ended: Ended | None) -> None:
        if ended is not None:
            told.append((fire.id, str(ended.status)))

    player = Player(db, "default", "n1", [ProbeSchedule()], record, clock)
    ticker = Ticker(db, "default", "n1", player, InlineEngine("n1", player.bodies(), clock), clock)
    await ticker.begin()
    await db.write(lambda c: add_probe_job(c, "j", "0 * * * *", clock.now() - 2 * 3600, on_missed="skip"))
    await ticker.tick()
    await ticker.tick()
    assert told
    assert len(set(told)) == len(told)
    assert {status for _, status in told} == {"missed"}


async def test_it_says_when_it_last_ticked_and_how_long_it_looked_at_each_room(db: SqliteDatabase) -> None:
    clock = FakeClock()
    looked: list[tuple[str, float]] = []
    player = Player(db, "default", "n1", [ProbeSchedule()], _recorded, clock)
    ticker = Ticker(db, "default", "n1", player, InlineEngine("n1", player.bodies(), clock), clock)
    ticker.watch = lambda kind, seconds: looked.append((kind, seconds))
    await ticker.begin()
    assert ticker.ticked_at is None
    await ticker.tick()
    assert (ticker.ticked_at, looked) == (clock.monotonic(), [("probe", 0.0)])
