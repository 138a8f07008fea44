from __future__ import annotations

import asyncio

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.adapters.storage.base import Connection
from akili_cli.core.audit.waiting import Waiting
from akili_cli.domain.errors import AkiliError, BudgetExceededError


async def asked(db: SqliteDatabase, refusal: AkiliError | None) -> tuple[bool, Waiting]:
    def guard(_connection: Connection) -> None:
        if refusal is not None:
            raise refusal

    waiting = Waiting([], guard, asyncio.get_running_loop().create_future())
    return await db.read(waiting.passes), waiting


async def test_whoever_waits_is_given_what_was_written(db: SqliteDatabase) -> None:
    passed, waiting = await asked(db, None)
    waiting.answer()
    assert (passed, await waiting.future) == (True, [])


async def test_a_refusal_of_the_guard_reaches_whoever_waits(db: SqliteDatabase) -> None:
    passed, waiting = await asked(db, BudgetExceededError("nothing left"))
    waiting.answer()
    assert not passed
    with pytest.raises(BudgetExceededError):
        await waiting.future


async def test_one_who_gave_up_is_not_answered(db: SqliteDatabase) -> None:
    _, waiting = await asked(db, None)
    waiting.future.cancel()
    waiting.answer()
    assert waiting.future.cancelled()
