from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.core.schedule import store
from akili_cli.core.schedule.base import Ended, Fire, FireStatus
from akili_cli.domain.errors import ConflictError

FIRE = Fire(id="k:j:1", org="default", kind="k", job_id="j", fire_at=1.0, user="ann", payload={"a": [1]}, node="n1")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = await open_sqlite(tmp_path / "a.db")
    yield opened
    await opened.close()


async def test_a_fire_is_stored_once_and_read_back_whole(db: SqliteDatabase) -> None:
    assert await db.write(lambda c: store.add(c, FIRE, FireStatus.RUNNING, 5.0))
    assert not await db.write(lambda c: store.add(c, FIRE, FireStatus.RUNNING, 6.0))
    assert await db.read(lambda c: store.get(c, "default", FIRE.id)) == FIRE
    assert await db.read(lambda c: store.get(c, "other", FIRE.id)) is None


async def test_an_end_is_written_once_by_the_node_that_has_it(db: SqliteDatabase) -> None:
    await db.write(lambda c: store.add(c, FIRE, FireStatus.RUNNING, 5.0))
    ended = Ended(status=FireStatus.FAILED, error="no", cost_usd=None, details={"tokens": 3})
    assert not await db.write(lambda c: store.end(c, replace(FIRE, node="n2"), ended, 6.0))
    assert await db.write(lambda c: store.end(c, FIRE, ended, 6.0))
    assert not await db.write(lambda c: store.end(c, FIRE, ended, 7.0))
    assert await db.read(lambda c: store.status_of(c, "default", FIRE.id)) is FireStatus.FAILED
    record = (await db.read(lambda c: store.history(c, "default", "k", ["j"], 5)))[0]
    assert (record.error, record.cost_usd, record.finished_at) == ("no", None, 6.0)


async def test_nodes_nobody_saw_for_long_are_forgotten_unless_they_hold_a_fire(db: SqliteDatabase) -> None:
    for node in ("n1", "n2"):
        await db.write(lambda c, node=node: store.begin_node(c, node, "host", 1, "0", now=1.0, dead_before=0.0))
    await db.write(lambda c: store.add(c, FIRE, FireStatus.RUNNING, 5.0))
    await db.write(lambda c: store.forget_nodes(c, 100.0))
    assert [row["id"] for row in await db.read(store.nodes)] == ["n1"]


async def test_a_name_is_one_running_nodes_and_what_an_earlier_one_left_is_nobodys(db: SqliteDatabase) -> None:
    await db.write(lambda c: store.begin_node(c, "n1", "host", 1, "0", now=100.0, dead_before=70.0))
    await db.write(lambda c: store.add(c, FIRE, FireStatus.RUNNING, 100.0))
    with pytest.raises(ConflictError, match="running"):
        await db.write(lambda c: store.begin_node(c, "n1", "host", 2, "0", now=110.0, dead_before=80.0))
    await db.write(lambda c: store.begin_node(c, "n1", "host", 2, "0", now=200.0, dead_before=170.0))
    lost = await db.read(lambda c: store.lost(c, "default", "n1", 170.0))
    assert [fire.id for fire in lost] == [FIRE.id]


async def test_a_node_whose_process_has_ended_on_this_machine_is_gone_at_once(db: SqliteDatabase) -> None:
    for node, host, pid in (("gone", "here", 1), ("alive", "here", 2), ("elsewhere", "there", 1), ("me", "here", 1)):
        await db.write(
            lambda c, node=node, host=host, pid=pid: store.begin_node(
                c, node, host, pid, "0", now=100.0, dead_before=70.0
            )
        )
    await db.write(lambda c: store.bury(c, "here", "me", lambda pid: pid == 2, 101.0))
    stopped = {row["id"]: row["stopped_at"] for row in await db.read(store.nodes)}
    assert stopped == {"gone": 101.0, "alive": None, "elsewhere": None, "me": None}
