from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.schedule import store as fires
from akili_cli.core.schedule.base import Ended, Fire, FireStatus
from akili_cli.features.queries import store
from tests.unit.features.queries.test_model import query


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_sqlite(tmp_path / "akili.db")
    yield opened
    await opened.close()


def fire(query_id: str) -> Fire:
    return Fire(
        id=f"query:{query_id}:once",
        org="default",
        kind="query",
        job_id=query_id,
        fire_at=0.0,
        user="ann",
        payload={},
        node="n",
    )


def put(conn: Connection, query_id: str, user: str, at: float, conversation: str | None = None) -> None:
    fires.add(conn, fire(query_id), FireStatus.RUNNING, at)
    store.add(conn, query(id=query_id, user=user, created_at=at, conversation_id=conversation))


async def test_lists_are_newest_first_by_user_and_go_on_after_a_place(db: Database) -> None:
    def work(conn: Connection) -> list[list[str]]:
        for number, (name, user) in enumerate((("a", "ann"), ("b", "ben"), ("c", "ann"), ("d", "ann"))):
            put(conn, name, user, float(min(number, 2)))
        fires.end(conn, fire("c"), Ended(status=FireStatus.OK, details={"report": {"x": 1}, "failure": "model"}), 9.0)
        lists = [
            store.newest(conn, "default", "ann", open_only=False, before=None, limit=9),
            store.newest(conn, "default", None, open_only=True, before=None, limit=9),
            store.newest(conn, "default", "ann", open_only=False, before=(2.0, "d"), limit=1),
            store.newest(conn, "other", None, open_only=False, before=None, limit=9),
        ]
        return [[one.id for one in found] for found in lists]

    assert await db.write(work) == [["d", "c", "a"], ["d", "b", "a"], ["c"], []]
    found = await db.read(lambda conn: store.get(conn, "default", "c"))
    assert found is not None
    assert (found.status, found.finished_at, dict(found.report), found.failure) == (
        FireStatus.OK,
        9.0,
        {"x": 1},
        "model",
    )
    assert await db.read(lambda conn: store.count_open(conn, "default")) == 3


async def test_a_conversation_is_busy_while_a_question_of_it_is_answered(db: Database) -> None:
    await db.write(lambda conn: put(conn, "a", "ann", 0.0, "talk"))
    assert await db.write(lambda conn: store.is_busy(conn, "default", "talk"))
    assert not await db.write(lambda conn: store.is_busy(conn, "default", "another"))
    await db.write(lambda conn: fires.end(conn, fire("a"), Ended(status=FireStatus.OK), 1.0))
    assert not await db.write(lambda conn: store.is_busy(conn, "default", "talk"))


async def test_what_is_to_stop_is_found_until_it_has_ended(db: Database) -> None:
    def work(conn: Connection) -> tuple[bool, bool, list[str]]:
        put(conn, "a", "ann", 0.0)
        asked = store.ask_to_stop(conn, "default", "a", "ben"), store.ask_to_stop(conn, "default", "none", "ben")
        return *asked, store.to_stop(conn, "default")

    assert await db.write(work) == (True, False, ["a"])
    await db.write(lambda conn: fires.end(conn, fire("a"), Ended(status=FireStatus.INTERRUPTED), 1.0))
    assert await db.read(lambda conn: store.to_stop(conn, "default")) == []
