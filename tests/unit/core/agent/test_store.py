from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.storage.base import Connection
from akili_cli.core.agent import store

ROW = store.StoredMessage("user", "hi", "[]", 1)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = await open_sqlite(tmp_path / "akili.db")
    await database.write(lambda c: store.create(c, "acme", "ann", "c1", 1.0))
    yield database
    await database.close()


async def test_only_the_owner_owns(db: SqliteDatabase) -> None:
    owners = [("acme", "ann", "c1"), ("acme", "ben", "c1"), ("other", "ann", "c1"), ("acme", "ann", "c2")]
    owned = [await db.read(lambda c, o=owner: store.is_owner(c, *o)) for owner in owners]  # type: ignore[misc] # bound now
    assert owned == [True, False, False, False]


async def test_only_the_owner_or_the_organisation_can_touch(db: SqliteDatabase) -> None:
    def touch(connection: Connection) -> list[bool]:
        return [
            store.touch(connection, org, user, "c1", title=f"{user}'s", now=2.0)
            for org, user in [("acme", "ben"), ("other", None), ("acme", "ann"), ("acme", None)]
        ]

    assert await db.write(touch) == [False, False, True, True]
    row = (await db.read(lambda c: store.recent(c, "acme", "ann", 5)))[0]
    assert (row["title"], row["updated_at"]) == ("ann's", 2.0)


async def test_sequence_numbers_go_on(db: SqliteDatabase) -> None:
    await db.write(lambda c: store.append(c, "c1", (ROW, ROW), 2.0))
    await db.write(lambda c: store.append(c, "c1", (ROW,), 3.0))
    rows = await db.read(lambda c: list(store.user_messages_back(c, "c1")))
    assert [row["seq"] for row in rows] == [3, 2, 1]


async def test_walking_back_goes_past_the_first_page(db: SqliteDatabase) -> None:
    await db.write(lambda c: store.append(c, "c1", (ROW,) * (store.RESULT_PAGE * 2), 2.0))
    rows = await db.read(lambda c: list(store.user_messages_back(c, "c1")))
    assert len(rows) == store.RESULT_PAGE * 2


async def test_newest_are_given_oldest_first_and_can_be_replaced(db: SqliteDatabase) -> None:
    rows = tuple(store.StoredMessage("user", str(n), f"[{n}]", 1) for n in range(3))
    await db.write(lambda c: store.append(c, "c1", rows, 2.0))
    await db.write(lambda c: store.replace(c, "c1", 3, store.StoredMessage("user", "x", "[9]", 1)))
    assert [row["blocks"] for row in await db.read(lambda c: store.newest(c, "c1", 2))] == ["[1]", "[9]"]
