from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.storage.copy import CopiedTable, compare, copy
from akili_cli.domain.errors import ConflictError, StorageError

INSERT = "INSERT INTO meta (key, value) VALUES (:key, :value)"
EVENT = (
    "INSERT INTO audit_events (stream, seq, id, org_id, at, kind, body, prev_hash, hash)"
    " VALUES ('s', :seq, :id, 'o', 1.5, 'k', 'b', '', '')"
)


def quiet(_table: str, _doing: str, _done: int, _rows: int) -> None:
    """Say nothing."""


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Callable[[str], SqliteDatabase]]:
    databases = {name: await open_sqlite(tmp_path / f"{name}.db") for name in ("source", "target")}
    yield databases.__getitem__
    for database in databases.values():
        await database.close()


def put(*pairs: tuple[str, str]) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        for key, value in pairs:
            connection.execute(INSERT, {"key": key, "value": value})

    return work


def of(tables: list[CopiedTable], name: str) -> CopiedTable:
    return next(table for table in tables if table.name == name)


async def content(db: Database) -> list[object]:
    return [
        (row["key"], row["value"])
        for row in await db.read(lambda c: c.execute("SELECT key, value FROM meta ORDER BY key"))
    ]


async def test_every_row_arrives_and_a_second_run_adds_none(opened: Callable[[str], SqliteDatabase]) -> None:
    await opened("source").write(put(*((f"k{n}", f"v{n}") for n in range(2500))))
    first = of(await copy(opened("source"), opened("target"), quiet), "meta")
    assert (first.rows, first.copied, first.present, first.extra) == (2500, 2500, 0, 0)
    again = of(await copy(opened("source"), opened("target"), quiet), "meta")
    assert (again.rows, again.copied, again.present, again.extra) == (2500, 0, 2500, 0)
    assert again.digest == first.digest
    assert await content(opened("target")) == await content(opened("source"))


async def test_a_digest_does_not_depend_on_the_order(opened: Callable[[str], SqliteDatabase]) -> None:
    await opened("source").write(put(("a", "1"), ("b", "2")))
    await opened("target").write(put(("b", "2"), ("a", "1")))
    there = of(await copy(opened("source"), opened("target"), quiet), "meta")
    back = of(await copy(opened("target"), opened("source"), quiet), "meta")
    assert there.digest == back.digest != ""


async def test_rows_that_only_the_target_has_are_left_alone_and_counted(
    opened: Callable[[str], SqliteDatabase],
) -> None:
    await opened("source").write(put(("a", "1")))
    await opened("target").write(put(("z", "9")))
    done = of(await copy(opened("source"), opened("target"), quiet), "meta")
    assert (done.copied, done.extra) == (1, 1)
    assert await content(opened("target")) == [("a", "1"), ("z", "9")]


@pytest.mark.parametrize("work", [copy, compare])
async def test_another_row_under_the_same_key_refuses_everything(
    opened: Callable[[str], SqliteDatabase], work: Callable[..., object]
) -> None:
    await opened("source").write(put(("a", "1"), ("b", "2")))
    await opened("source").write(lambda c: c.execute(EVENT, {"seq": 1, "id": "s-1"}))
    await opened("target").write(put(("b", "other")))
    with pytest.raises(ConflictError, match="key 'b' of the table meta: value differ") as caught:
        await work(opened("source"), opened("target"), quiet)  # type: ignore[misc] # a coroutine function
    assert caught.value.hint
    assert await content(opened("target")) == [("b", "other")]
    assert await opened("target").read(lambda c: c.execute("SELECT seq FROM audit_events")) == []


async def test_a_row_whose_unique_value_is_taken_is_no_success(opened: Callable[[str], SqliteDatabase]) -> None:
    await opened("source").write(lambda c: c.execute(EVENT, {"seq": 1, "id": "same"}))
    await opened("target").write(lambda c: c.execute(EVENT, {"seq": 2, "id": "same"}))
    with pytest.raises(ConflictError, match="seq '1' of the table audit_events was not added"):
        await copy(opened("source"), opened("target"), quiet)


async def test_comparing_changes_nothing_and_counts(opened: Callable[[str], SqliteDatabase]) -> None:
    await opened("source").write(put(("a", "1"), ("b", "2")))
    await opened("target").write(put(("a", "1"), ("z", "9")))
    found = of(await compare(opened("source"), opened("target"), quiet), "meta")
    assert (found.rows, found.copied, found.present, found.extra) == (2, 0, 1, 1)
    assert await content(opened("target")) == [("a", "1"), ("z", "9")]


async def test_rows_that_every_akili_makes_itself_need_only_agree_on_who_they_are(
    opened: Callable[[str], SqliteDatabase],
) -> None:
    insert = "INSERT INTO organizations (id, name, slug, created_at) VALUES ('acme', :name, 'acme', :at)"
    await opened("source").write(lambda c: c.execute(insert, {"name": "Acme", "at": 1.0}))
    await opened("target").write(lambda c: c.execute(insert, {"name": "ACME", "at": 2.0}))
    done = of(await copy(opened("source"), opened("target"), quiet), "organizations")
    assert (done.present, done.copied) == (1, 0)


async def test_what_is_written_meanwhile_belongs_to_the_next_run(opened: Callable[[str], SqliteDatabase]) -> None:
    await opened("source").write(put(*((f"k{n:04}", "v") for n in range(1500))))
    loop = asyncio.get_running_loop()
    late: list[asyncio.Future[None]] = []

    def write_late(_table: str, _doing: str, _done: int, _rows: int) -> None:
        if not late:
            work = opened("source").write(put(("k9999", "late")))
            late.append(asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop), loop=loop))

    assert of(await copy(opened("source"), opened("target"), write_late), "meta").rows == 1500
    await late[0]
    assert of(await copy(opened("source"), opened("target"), quiet), "meta").copied == 1


async def test_a_cancelled_copy_stops_and_the_next_run_finishes_it(opened: Callable[[str], SqliteDatabase]) -> None:
    await opened("source").write(put(*((f"k{n:05}", "v") for n in range(6000))))
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    said: list[str] = []

    def say(_table: str, doing: str, _done: int, _rows: int) -> None:
        said.append(doing)
        loop.call_soon_threadsafe(begun.set)

    task = asyncio.create_task(copy(opened("source"), opened("target"), say))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    done = of(await copy(opened("source"), opened("target"), quiet), "meta")
    assert done.copied + done.present == 6000
    assert "verify" not in said


async def test_a_row_that_changes_on_its_way_is_found(opened: Callable[[str], SqliteDatabase]) -> None:
    await opened("source").write(put(("a", "1")))
    trigger = "CREATE TRIGGER liar AFTER INSERT ON meta BEGIN UPDATE meta SET value = 'changed' WHERE key = new.key"
    import sqlite3

    with sqlite3.connect(opened("target").path) as connection:
        connection.execute(f"{trigger}; END")
    connection.close()
    with pytest.raises((ConflictError, StorageError), match="key 'a' of the table meta"):
        await copy(opened("source"), opened("target"), quiet)
