"""Copies every row of one database into another, and proves that it arrived; can be repeated and resumed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from akili_cli.adapters.storage.base import Connection, Database, Row
from akili_cli.adapters.storage.portable import value_lists
from akili_cli.adapters.storage.schema import Table, tables
from akili_cli.domain.errors import ConflictError, StorageError

T = TypeVar("T")
Key = tuple[object, ...]
Progress = Callable[[str, str, int, int], None]
"""Called with the table, what is done (``check``, ``copy``, ``verify``), rows done and rows in all."""

PAGE_ROWS = 1000
MAX_PARAMETERS = 1000
_KEPT_RIGHT_BY_AKILI = {"organizations": ("id", "slug"), "runbook_texts": ("org_id", "path")}
"""Each akili makes these rows by itself, so only what identifies them must agree."""


@dataclass(slots=True)
class CopiedTable:
    """What came of one table: ``rows`` of the source, of them ``copied`` now and ``present`` before.

    ``extra`` rows are only in the target and were left alone. ``digest`` is the same on both sides: the sum of the
    rows' SHA-256, so that the order does not matter.
    """

    name: str
    rows: int = 0
    copied: int = 0
    present: int = 0
    extra: int = 0
    digest: str = ""


@dataclass(slots=True)
class _Sum:
    """A digest of rows in any order."""

    rows: int = 0
    total: int = field(default=0)

    def add(self, values: Key) -> None:
        text = json.dumps(values, ensure_ascii=True, default=lambda value: value.hex())
        self.total += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
        self.rows += 1

    def text(self) -> str:
        return f"{self.total % 2**256:064x}"


async def compare(source: Database, target: Database, progress: Progress) -> list[CopiedTable]:
    """Tell what ``copy`` would do, and change nothing; raises ``ConflictError`` like it."""
    return await _run(source, target, progress, lambda copier: copier.check())


async def copy(source: Database, target: Database, progress: Progress) -> list[CopiedTable]:
    """Copy one snapshot of the source, which is only read, into a target of the same schema.

    Steps: 1 compare what both have: a row that differs refuses all of it (``ConflictError`` names table and key)
    before anything is written; 2 add what is missing, a page at a time in a transaction of its own, so that a run
    that was cut short is finished by the next; 3 read every row back and compare it.
    """

    def work(copier: _Copier) -> list[CopiedTable]:
        copier.check()
        copier.fill()
        return copier.verify()

    return await _run(source, target, progress, work)


async def _run(
    source: Database, target: Database, progress: Progress, work: Callable[[_Copier], list[CopiedTable]]
) -> list[CopiedTable]:
    loop, stop = asyncio.get_running_loop(), threading.Event()
    try:
        return await source.read(lambda reader: work(_Copier(reader, target, loop, progress, stop)))
    finally:
        stop.set()


class _Copier:
    """Runs in the source's reading thread; what it asks of the target is done in the event loop."""

    def __init__(
        self,
        reader: Connection,
        target: Database,
        loop: asyncio.AbstractEventLoop,
        progress: Progress,
        stop: threading.Event,
    ) -> None:
        self._reader = reader
        self._target = target
        self._loop = loop
        self._progress = progress
        self._stop = stop
        self._done = [CopiedTable(table.name, rows=_count(reader, table)) for table in tables()]

    def check(self) -> list[CopiedTable]:
        """Compare the rows that both sides have."""
        for table, done in zip(tables(), self._done, strict=True):
            there = self._ask(self._target.read(lambda conn, table=table: _count(conn, table)))  # type: ignore[misc] # bound now
            if there:
                for rows in self._pages(table, done, "check"):
                    done.present += sum(theirs is not None for _, theirs in self._matched(table, rows))
            done.extra = there - done.present
        return self._done

    def fill(self) -> None:
        """Add the rows that the target has not."""
        for table, done in zip(tables(), self._done, strict=True):
            if done.present == done.rows:
                continue
            for rows in self._pages(table, done, "copy"):
                add = self._target.write(lambda conn, table=table, rows=rows: _insert(conn, table, rows))  # type: ignore[misc] # bound now
                done.copied += self._ask(add)

    def verify(self) -> list[CopiedTable]:
        """Read every row back; raises ``StorageError`` when one is not there, or not as it was."""
        for table, done in zip(tables(), self._done, strict=True):
            ours, theirs = _Sum(), _Sum()
            for rows in self._pages(table, done, "verify"):
                for row, found in self._matched(table, rows):
                    ours.add(_compared(table, row))
                    if found is None:
                        raise ConflictError(
                            f"{_named(table, row)} was not added: another row there has one of its unique values",
                            hint="copy into an empty database",
                        )
                    theirs.add(_compared(table, found))
            counted = self._ask(self._target.read(lambda conn, table=table: _count(conn, table)))  # type: ignore[misc] # bound now
            done.digest = ours.text()
            if ours != theirs or ours.rows != done.rows or counted < done.rows:
                raise StorageError(f"the table {table.name} did not arrive whole", hint="run it again")
        return self._done

    def _pages(self, table: Table, done: CopiedTable, doing: str) -> Iterator[list[Row]]:
        seen = 0
        for rows in _pages(self._reader, table):
            if self._stop.is_set():
                raise StorageError("the copy was stopped")
            yield rows
            seen += len(rows)
            self._progress(table.name, doing, seen, done.rows)

    def _matched(self, table: Table, rows: Sequence[Row]) -> Iterator[tuple[Row, Row | None]]:
        """Give each row with the target's row of that key; raises ``ConflictError`` when they differ."""
        found = self._ask(self._target.read(lambda conn: _by_key(conn, table, rows)))
        for row in rows:
            theirs = found.get(_key(table, row))
            if theirs is not None and _compared(table, row) != _compared(table, theirs):
                columns = [name for name in table.columns if _value(row, name) != _value(theirs, name)]
                raise ConflictError(
                    f"the target holds another row for {_named(table, row)}: {', '.join(columns)} differ",
                    hint="nothing was overwritten; copy into an empty database, or remove that row there",
                )
            yield row, theirs

    def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _count(connection: Connection, table: Table) -> int:
    return int(str(connection.execute(f'SELECT count(*) AS n FROM "{table.name}"')[0]["n"]))  # noqa: S608 - our names


def _pages(connection: Connection, table: Table) -> Iterator[list[Row]]:
    """Give a table's rows in the order of its key."""
    columns, key = _names(table.columns), _names(table.pk)
    marks = ", ".join(f":k{number}" for number in range(len(table.pk)))
    select = f'SELECT {columns} FROM "{table.name}"'  # noqa: S608 - our own names
    after = ""
    params: dict[str, object] = {"limit": PAGE_ROWS}
    while True:
        rows = connection.execute(f"{select}{after} ORDER BY {key} LIMIT :limit", params)
        if rows:
            yield rows
        if len(rows) < PAGE_ROWS:
            return
        after = f" WHERE ({key}) > ({marks})"
        params |= {f"k{number}": rows[-1][name] for number, name in enumerate(table.pk)}


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Add rows whose keys are not there; give how many."""
    names = tuple(table.columns)
    into = f'INSERT INTO "{table.name}" ({_names(names)}) VALUES '  # noqa: S608 - our own names
    added = 0
    for values, params in _lists(names, rows):
        added += connection.changed(f"{into}{values} ON CONFLICT DO NOTHING", params)
    return added


def _by_key(connection: Connection, table: Table, rows: Sequence[Row]) -> dict[Key, Row]:
    """Find the rows that have the keys of the given ones."""
    select = f'SELECT {_names(table.columns)} FROM "{table.name}" WHERE '  # noqa: S608 - our own names
    found: dict[Key, Row] = {}
    for values, params in _lists(table.pk, rows):
        for row in connection.execute(f"{select}({_names(table.pk)}) IN (VALUES {values})", params):
            found[_key(table, row)] = row
    return found


def _lists(names: Sequence[str], rows: Sequence[Row]) -> Iterator[tuple[str, dict[str, object]]]:
    """Write rows as lists of values, as many at once as a statement takes."""
    size = max(1, MAX_PARAMETERS // len(names))
    for start in range(0, len(rows), size):
        yield value_lists(names, rows[start : start + size])


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _key(table: Table, row: Row) -> Key:
    return tuple(row[name] for name in table.pk)


def _compared(table: Table, row: Row) -> Key:
    return tuple(_value(row, name) for name in _KEPT_RIGHT_BY_AKILI.get(table.name, table.columns))


def _value(row: Row, name: str) -> object:
    value = row[name]
    return value + 0.0 if isinstance(value, float) else value  # SQLite knows no negative zero


def _named(table: Table, row: Row) -> str:
    key = ", ".join(f"{name} {str(row[name])[:80]!r}" for name in table.pk)
    return f"the key {key} of the table {table.name}"
