"""SQLite: one writer thread that commits in groups, a few readers with connections of their own."""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.migrations import MIGRATION_SET, pending, searchable, sqlite_migrations
from akili_cli.adapters.storage.portable import UnitOfWork, search_words, sqlite_sql
from akili_cli.adapters.storage.schema import STEPS, Step
from akili_cli.domain.errors import AkiliError, ConflictError, StorageError

T = TypeVar("T")

MAX_GROUP = 256
READERS = 4

_READER_PRAGMAS = ("query_only=ON",)
_WRITER_PRAGMAS = ("foreign_keys=ON", "recursive_triggers=ON", "synchronous=NORMAL", "cache_size=-4096")
_TAKEN = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PLACE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_HINTS = {
    **dict.fromkeys(_BUSY, "another process holds the database; try again"),
    sqlite3.SQLITE_FULL: "free some space on the disk that holds the database",
    sqlite3.SQLITE_IOERR: "check the disk that holds the database, and the space on it",
    **dict.fromkeys(_PLACE, "make the database file and its directory readable and writable for you"),
    **dict.fromkeys(_DAMAGED, "restore the file from a backup, or move it away to start with an empty one"),
}


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's exceptions into ours, in this one place."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _ours(error) from error


def _ours(error: sqlite3.Error | sqlite3.Warning) -> AkiliError:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code in _TAKEN:
        return ConflictError(f"that key is taken: {error}")
    primary = code & 0xFF
    return StorageError(f"the database refused: {error}", hint=_HINTS.get(primary, ""), retryable=primary in _BUSY)


class _Job(Generic[T]):
    """One function in the writer's queue, and the future its caller waits for."""

    __slots__ = ("durable", "error", "fn", "future", "value")

    def __init__(self, fn: Callable[[Connection], T], durable: bool) -> None:
        self.fn = fn
        self.durable = durable
        self.future: Future[T] = Future()
        self.value: T | None = None
        self.error: BaseException | None = None

    def call(self, unit: UnitOfWork) -> None:
        """Run the function; whatever it raises is kept for its caller, so that the thread lives on."""
        try:
            self.value = unit.call(self.fn)
        except BaseException as error:  # noqa: BLE001 - its caller gets it; the thread serves all others
            self.error = error

    def answer(self) -> None:
        """Tell the caller how it went."""
        if self.error is None:
            self.future.set_result(cast("T", self.value))
        else:
            self.future.set_exception(self.error)


class SqliteDatabase:
    """``Database`` over one SQLite file; ``migrated`` names the steps that opening it applied."""

    dialect = "sqlite"

    def __init__(
        self,
        path: Path,
        writer: sqlite3.Connection,
        *,
        busy_timeout_s: float,
        steps: Sequence[Step],
        migrated: tuple[str, ...],
    ) -> None:
        """Take over an open, migrated connection; ``open_sqlite`` makes one."""
        self.path = path
        self.migrated = migrated
        self._steps = steps
        self._busy_timeout_s = busy_timeout_s
        self._gate = threading.Lock()
        self._closed = False
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._idle_readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="akili-db-read")
        self._writer = _Writer(writer, self._jobs)
        self._writer.start()

    async def write(self, fn: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run a function in the writer thread; returns after its group's commit.

        A caller cancelled before its function was taken up has written nothing; later the write goes on.
        """
        job = _Job(fn, durable)
        with self._gate:
            self._refuse_when_closed()
            self._jobs.put(job)
        return await asyncio.wrap_future(job.future)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run a function on one snapshot of the data, on a connection that cannot write."""
        with self._gate:
            self._refuse_when_closed()
            future = self._readers.submit(self._read, fn)
        return await asyncio.wrap_future(future)

    async def search(self, table: str, words: str, limit: int, *, org: str) -> list[Row]:
        """Rank rows that hold any of the words by BM25; a higher ``score`` is better."""
        described = searchable(self._steps, table)
        match = " OR ".join(f'"{word}"' for word in search_words(words))
        if not match or limit < 1:
            return []
        columns = ", ".join(f't."{name}"' for name in described.columns)
        sql = (
            f'SELECT {columns}, -bm25("{table}_fts") AS score '  # noqa: S608 - names come from our own steps
            f'FROM "{table}_fts" JOIN "{table}" t ON t.rowid = "{table}_fts".rowid '
            f'WHERE "{table}_fts" MATCH :words AND t."org_id" = :org ORDER BY score DESC, t.rowid LIMIT :limit'
        )
        return await self.read(lambda conn: conn.execute(sql, {"words": match, "limit": limit, "org": org}))

    async def close(self) -> None:
        """Finish what is queued, then close every connection; closing twice is fine."""
        with self._gate:
            self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown(wait=True)
        with suppress(queue.Empty):
            while True:
                self._idle_readers.get_nowait().close()
        self._jobs.put(None)  # last, so that SQLite can fold the -wal file into the database
        self._writer.join()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StorageError("the database is closed")

    def _read(self, fn: Callable[[Connection], T]) -> T:
        with _translated():
            try:
                connection = self._idle_readers.get_nowait()
            except queue.Empty:
                connection = _connect(self.path, "ro", self._busy_timeout_s)
        unit = _unit(connection)
        try:
            with _translated():
                connection.execute("BEGIN")
            return unit.call(fn)
        finally:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._idle_readers.put(connection)
            except sqlite3.Error:
                connection.close()


class _Writer(threading.Thread):
    """Takes what is queued, commits it together, then answers each caller."""

    def __init__(self, connection: sqlite3.Connection, jobs: queue.SimpleQueue[_Job[Any] | None]) -> None:
        super().__init__(name="akili-db-write", daemon=True)
        self._connection = connection
        self._jobs = jobs
        self._full_sync = False

    def run(self) -> None:
        """Serve until the end mark."""
        more = True
        while more:
            group, more = self._take()
            if group:
                self._serve(group)
        self._connection.close()

    def _take(self) -> tuple[list[_Job[Any]], bool]:
        group: list[_Job[Any]] = []
        job = self._jobs.get()
        while job is not None:
            if job.future.set_running_or_notify_cancel():
                group.append(job)
            if len(group) == MAX_GROUP:
                return group, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _serve(self, group: list[_Job[Any]]) -> None:
        """Steps: 1 begin, 2 each function in its savepoint, 3 commit, 4 answer. A failed 1 or 3 fails all."""
        try:
            with _translated():
                self._set_sync(full=any(job.durable for job in group))
                self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._apply(job)
            with _translated():
                self._connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - the callers get it; the thread serves all others
            self._roll_back()
            for job in group:
                if job.error is None:
                    job.error = error
        for job in group:
            job.answer()

    def _apply(self, job: _Job[Any]) -> None:
        unit = _unit(self._connection)
        with _translated():
            self._connection.execute("SAVEPOINT job")
        job.call(unit)
        if not self._connection.in_transaction:
            raise StorageError(
                "the database gave up the transaction, so nothing of it was kept",
                hint=getattr(job.error, "hint", ""),
                retryable=True,
            )
        with _translated():
            if job.error is not None:
                self._connection.execute("ROLLBACK TO job")
            self._connection.execute("RELEASE job")

    def _set_sync(self, *, full: bool) -> None:
        if full != self._full_sync:
            self._connection.execute(f"PRAGMA synchronous={'FULL' if full else 'NORMAL'}")
            self._full_sync = full

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _unit(connection: sqlite3.Connection) -> UnitOfWork:
    def run(sql: str, params: dict[str, object]) -> tuple[list[Row], int]:
        try:
            cursor = connection.execute(sqlite_sql(sql), params)
            if cursor.description is None:
                return [], cursor.rowcount
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _ours(error) from error
        return rows, cursor.rowcount

    return UnitOfWork(run, "group_concat(line, char(10))")


async def open_sqlite(path: Path, *, busy_timeout_s: float = 15.0, steps: Sequence[Step] = STEPS) -> SqliteDatabase:
    """Open (or make, mode 0600) the file and bring its tables up to date.

    Raises ``StorageError`` when the place cannot be used, the file is no database or damaged, another process
    holds it for longer than ``busy_timeout_s``, or a newer akili wrote it.
    """
    return await asyncio.to_thread(_open, path, busy_timeout_s, steps)


def _open(path: Path, busy_timeout_s: float, steps: Sequence[Step]) -> SqliteDatabase:
    try:
        _prepare_file(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(
            f"the database file {str(path)!r} cannot be used: {reason}",
            hint="name a file in a directory that exists and that you can write to",
        ) from error
    try:
        with _translated():
            writer = _connect(path, "rw", busy_timeout_s)
            try:
                _use_wal(writer, busy_timeout_s)
                migrated = _migrate(writer, steps)
            except BaseException:
                writer.close()
                raise
    except StorageError as error:
        raise StorageError(f"{path}: {error}", hint=error.hint, retryable=error.retryable) from error
    return SqliteDatabase(path, writer, busy_timeout_s=busy_timeout_s, steps=steps, migrated=migrated)


def _prepare_file(path: Path) -> None:
    """Make the file private before SQLite sees it; -wal and -shm take its mode.

    The file is never opened here: closing any descriptor of it would drop the locks that another connection
    of this process holds.
    """
    with suppress(FileExistsError):
        os.mknod(path, 0o600 | stat.S_IFREG)
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is not a regular file")
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(FileNotFoundError):
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


def _connect(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for pragma in _READER_PRAGMAS if mode == "ro" else _WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Switch to WAL; SQLite does not wait by itself when two processes do this at once."""
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return
            found = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
            continue
        if found != "wal":
            raise StorageError(
                "the file system cannot hold a database that several processes share",
                hint="put the workspace on a local disk",
            )


def _migrate(connection: sqlite3.Connection, steps: Sequence[Step]) -> tuple[str, ...]:
    """Apply what is pending; sqlite-utils is imported only when there is something to do."""
    if not pending(steps, _applied(connection)):
        return ()
    import sqlite_utils

    connection.execute("BEGIN IMMEDIATE")
    try:
        todo = pending(steps, _applied(connection))
        sqlite_migrations(steps).apply(sqlite_utils.Database(connection, execute_plugins=False))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return tuple(step.name for step in todo)


def _applied(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()
    if not found:
        return []
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", [MIGRATION_SET])
    return [row[0] for row in rows]


async def missing_in_sqlite(path: Path, *, steps: Sequence[Step] = STEPS) -> tuple[str, ...]:
    """Give the names of the steps that opening would apply, changing nothing; raises like ``open_sqlite``."""

    def look() -> tuple[str, ...]:
        applied: list[str] = []
        if path.exists():
            with _translated(), closing(_connect(path, "ro", busy_timeout_s=15.0)) as connection:
                applied = _applied(connection)
        return tuple(step.name for step in pending(steps, applied))

    return await asyncio.to_thread(look)
