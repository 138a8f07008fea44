from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.storage.base import Connection
from akili_cli.core.budget import store
from akili_cli.core.budget.model import Limits, Reservation
from akili_cli.domain.errors import BudgetExceededError, NotFoundError

HOLD = Reservation("h1", "acme", "ann", "2026-02-17", "run", 4.0, created_at=0.0, expires_at=600.0)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = await open_sqlite(tmp_path / "akili.db")
    yield database
    await database.close()


async def test_several_changes_share_one_transaction(db: SqliteDatabase) -> None:
    def work(connection: Connection) -> tuple[bool, bool, bool]:
        store.reserve(connection, HOLD, Limits(5.0))
        first = store.settle(connection, "acme", "h1", 3.0, 1.0)
        second = store.settle(connection, "acme", "h1", 3.0, 1.0)
        return first, second, store.release(connection, "acme", "h1", 1.0)

    assert await db.write(work) == (True, False, False)
    status = await db.read(lambda c: store.status(c, "acme", "ann", "2026-02-17", limit_usd=5.0, now=1.0))
    assert (status.spent_usd, status.reserved_usd, status.remaining_usd) == (3.0, 0.0, 2.0)


async def test_a_second_hold_above_the_limit_is_refused(db: SqliteDatabase) -> None:
    await db.write(lambda c: store.reserve(c, HOLD, Limits(5.0)))
    with pytest.raises(BudgetExceededError):
        await db.write(lambda c: store.reserve(c, replace(HOLD, id="h2", amount_usd=1.5), Limits(5.0)))
    await db.write(lambda c: store.reserve(c, replace(HOLD, id="h3", amount_usd=1.5, created_at=600.0), Limits(5.0)))


async def test_an_unknown_id_is_not_found(db: SqliteDatabase) -> None:
    with pytest.raises(NotFoundError):
        await db.write(lambda c: store.settle(c, "acme", "ghost", 1.0, 0.0))
    with pytest.raises(NotFoundError):
        await db.write(lambda c: store.release(c, "acme", "ghost", 0.0))


async def test_history_begins_at_the_day_asked_for(db: SqliteDatabase) -> None:
    await db.write(lambda c: store.reserve(c, HOLD, Limits(5.0)))
    await db.write(lambda c: store.reserve(c, replace(HOLD, id="h2", day="2026-02-18"), Limits(5.0)))
    days = await db.read(lambda c: store.history(c, "acme", "ann", "2026-02-18"))
    assert [day.day for day in days] == ["2026-02-18"]
