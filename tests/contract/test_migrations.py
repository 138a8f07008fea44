from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.schema import STEPS, Step, Table, tables
from akili_cli.domain.errors import ConflictError, StorageError
from tests.contract.places import OpenDatabase, Place, open_place
from tests.contract.processes import run_together

NAMES = tuple(step.name for step in STEPS)
ADDED = Step("9001_more", columns={"meta": {"note": "text?", "weight": "double?"}})
PROBE = Step(
    "9002_probe",
    (
        Table(
            "probe",
            {"a": "text", "b": "bigint", "c": "double?", "d": "bytea?"},
            pk=("a", "b"),
            unique=(("c",),),
            indexes=(("d",), ("b", "c")),
        ),
    ),
)


async def test_opening_applies_every_step_once(open_database: OpenDatabase) -> None:
    assert (await open_database()).migrated == NAMES
    assert (await open_database()).migrated == ()


async def test_every_table_holds_every_column_it_describes(open_database: OpenDatabase) -> None:
    db = await open_database()
    for table in tables():
        columns = ", ".join(table.columns)
        assert await db.read(lambda c, sql=f"SELECT {columns} FROM {table.name}": c.execute(sql)) == []  # type: ignore[misc] # bound now


async def test_a_later_akili_adds_to_what_is_there(open_database: OpenDatabase) -> None:
    old = await open_database()
    await old.write(lambda c: c.execute("INSERT INTO meta (key, value) VALUES ('a', 'b')"))
    await old.close()
    new = await open_database((*STEPS, ADDED, PROBE))
    assert new.migrated == ("9001_more", "9002_probe")
    rows = await new.read(lambda c: c.execute("SELECT key, value, note, weight FROM meta"))
    assert rows == [{"key": "a", "value": "b", "note": None, "weight": None}]


async def test_a_step_can_drop_a_table_whose_rows_can_be_made_again(open_database: OpenDatabase) -> None:
    old = await open_database(STEPS[:5])
    insert = "INSERT INTO runbook_index (path, name, category, body, sha256) VALUES ('p', 'n', 'c', 'disk', '')"
    await old.write(lambda c: c.execute(insert))
    await old.close()
    new = await open_database()
    with pytest.raises(StorageError):
        await new.read(lambda c: c.execute("SELECT * FROM runbook_index"))
    assert "runbook_index" not in {table.name for table in tables()}


async def test_types_keys_and_nulls_are_kept(open_database: OpenDatabase) -> None:
    db = await open_database((*STEPS, PROBE))
    insert = "INSERT INTO probe (a, b, c, d) VALUES (:a, :b, :c, :d)"

    def put(**values: object) -> Callable[[Connection], list[Row]]:
        return lambda connection: connection.execute(insert, {"a": "x", "b": 1, "c": None, "d": None} | values)

    await db.write(put(d=b"\0\xff", c=0.5))
    assert await db.read(lambda c: c.execute("SELECT * FROM probe")) == [{"a": "x", "b": 1, "c": 0.5, "d": b"\0\xff"}]
    for taken in ({}, {"b": 2, "c": 0.5}):
        with pytest.raises(ConflictError):
            await db.write(put(**taken))
    for wrong in ({"a": None}, {"b": None}, {"b": "word"}):
        with pytest.raises(StorageError):
            await db.write(put(**wrong))


async def test_a_database_of_a_newer_akili_is_refused(open_database: OpenDatabase) -> None:
    newer = await open_database((*STEPS, PROBE))
    await newer.close()
    with pytest.raises(StorageError, match="newer akili") as caught:
        await open_database()
    assert "9002_probe" in str(caught.value)
    assert caught.value.hint


async def test_a_step_that_fails_leaves_nothing_behind(open_database: OpenDatabase) -> None:
    broken = Step("9003_broken", (Table("fresh", {"a": "text"}, pk=("a",)), Table("meta", {"a": "text"}, pk=("a",))))
    with pytest.raises(StorageError):
        await open_database((*STEPS, broken))
    db = await open_database()
    assert db.migrated == NAMES
    with pytest.raises(StorageError):
        await db.read(lambda c: c.execute("SELECT * FROM fresh"))


async def test_many_open_a_new_database_at_once(place: Place) -> None:
    opened = await asyncio.gather(*(open_place(place) for _ in range(4)))
    for db in opened:
        await db.close()
    assert sorted(len(db.migrated) for db in opened) == [0, 0, 0, len(STEPS)]


async def test_processes_open_a_new_database_at_once(place: Place, open_database: OpenDatabase) -> None:
    assert run_together("count_up", place, processes=3, times=5) == [5, 5, 5]

    def count(connection: Connection) -> object:
        return connection.execute("SELECT value FROM meta")[0]["value"]

    assert await (await open_database()).read(count) == "15"
