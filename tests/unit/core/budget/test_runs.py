from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.core.budget import runs
from akili_cli.core.budget.model import Limits, Reservation
from akili_cli.domain.errors import NotFoundError

HOLD = Reservation("h1", "acme", "ann", "2026-02-17", "run", 4.0, created_at=0.0, expires_at=600.0)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = await open_sqlite(tmp_path / "akili.db")
    yield database
    await database.close()


async def test_a_run_begins_once_and_keeps_its_limit_unless_it_is_named_anew(db: SqliteDatabase) -> None:
    for limit in (5.0, None, 3.0):
        await db.write(lambda c, limit=limit: runs.begin(c, HOLD, Limits(10.0, run_usd=limit)))
    found = await db.read(lambda c: runs.of_user(c, "acme", "ann", "2026-02-17", now=0.0, limit=5))
    assert [(one.name, one.limit_usd) for one in found] == [("run", 3.0)]


async def test_a_chain_begins_at_the_root(db: SqliteDatabase) -> None:
    assert await db.read(lambda c: runs.chain(c, "acme", "new")) == ("new",)
    await db.write(lambda c: runs.begin(c, HOLD, Limits(10.0)))
    assert await db.read(lambda c: runs.chain(c, "acme", "child", "run")) == ("run", "child")
    with pytest.raises(NotFoundError):
        await db.read(lambda c: runs.chain(c, "other", "child", "run"))
