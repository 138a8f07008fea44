"""PostgreSQL: psycopg connections driven from threads, with the semantics of the SQLite driver.

Writers run side by side here (READ COMMITTED): a function that decides on what it read first takes the row's
lock, for example by updating it.

A lost connection: a transaction that had not begun is begun again on a fresh one, a reading function is run again
from its start; a writing function is not, for it may have had effects of its own. Nothing of it was kept unless the
connection went down while the commit was under way: then the error says that this is unknown.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.dsn import Dsn
from akili_cli.adapters.storage.migrations import pending, postgres_statements, searchable
from akili_cli.adapters.storage.pool import IdleConnections, Lent
from akili_cli.adapters.storage.portable import UnitOfWork, postgres_sql, search_words
from akili_cli.adapters.storage.schema import STEPS, Step
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.errors import ConfigError, ConflictError, StorageError

if TYPE_CHECKING:
    import psycopg

    PgConnection = psycopg.Connection[tuple[object, ...]]

T = TypeVar("T")

LOCK_TIMEOUT_MS = 15_000
STATEMENT_TIMEOUT_MS = 60_000
IDLE_TRANSACTION_TIMEOUT_MS = 300_000
MIGRATION_LOCK = 0x616B696C69  # "akili"

_RETRYABLE = ("08", "40", "53", "55", "57")  # connection, rollback, resources, locks, shutdown
_LOST = ("08", "57P01", "57P02", "57P03")
_UNREACHABLE = "check that the database server runs and can be reached"
_HINTS = (
    ("authentication", "check the user and the password of the DSN"),
    ("role", "check the user of the DSN"),
    ("does not exist", "create the database, or name another one in the DSN"),
    ("too many c", "lower storage.postgres.max_open_conns, or let the server take more connections"),
    ("permission denied", "give the DSN's user the right to create and change tables in its schema"),
    ("remaining connection slots", "lower storage.postgres.max_open_conns, or let the server take more connections"),
)


@contextmanager
def _translated(dsn: Dsn) -> Iterator[None]:
    """Turn the driver's exceptions into ours, in this one place."""
    import psycopg

    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise ConflictError(f"that key is taken: {error.diag.constraint_name}") from None
    except psycopg.Error as error:
        state = error.sqlstate or ""
        reason = dsn.masked(error.diag.message_primary or str(error))
        lost = isinstance(error, psycopg.OperationalError) and (not state or state.startswith(_LOST))
        hint = next((hint for words, hint in _HINTS if words in reason), _UNREACHABLE if lost else "")
        raise StorageError(
            f"the database cannot be reached: {reason}" if lost else f"the database refused: {reason}",
            hint=hint,
            retryable=lost or state.startswith(_RETRYABLE),
        ) from None


class PostgresDatabase:
    """``Database`` over a PostgreSQL server; ``migrated`` names the steps that opening it applied."""

    dialect = "postgres"

    def __init__(
        self,
        dsn: Dsn,
        idle: IdleConnections[PgConnection],
        *,
        max_open: int,
        steps: Sequence[Step],
        migrated: tuple[str, ...],
    ) -> None:
        """Take over connections; ``open_postgres`` makes one. At most ``max_open`` functions run at once."""
        self.migrated = migrated
        self._dsn = dsn
        self._idle = idle
        self._steps = steps
        self._gate = threading.Lock()
        self._closed = False
        self._threads = ThreadPoolExecutor(max_open, thread_name_prefix="akili-db")

    async def write(self, fn: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run a function in a transaction of its own; returns after the commit."""
        begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        if durable:
            begin += "; SET LOCAL synchronous_commit TO on"
        return await self._submit(partial(self._transact, begin, fn))

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run a function on one snapshot of the data, in a transaction that cannot write.

        It is run again, once, when the connection is lost under it.
        """
        return await self._submit(partial(self._read, fn))

    async def search(self, table: str, words: str, limit: int, *, org: str) -> list[Row]:
        """Rank rows that hold any of the words; a higher ``score`` is better."""
        described = searchable(self._steps, table)
        match = " or ".join(f'"{word}"' for word in search_words(words))
        if not match or limit < 1:
            return []
        columns = ", ".join(f'"{name}"' for name in described.columns)
        order = ", ".join(f'"{name}"' for name in described.pk)
        sql = (
            f'SELECT {columns}, ts_rank("fts", query) AS score '  # noqa: S608 - names come from our own steps
            f"FROM \"{table}\", websearch_to_tsquery('english', :words) AS query "
            f'WHERE "fts" @@ query AND "org_id" = :org ORDER BY score DESC, {order} LIMIT :limit'
        )
        params = {"words": match, "limit": limit, "org": org}
        return await self.read(lambda connection: connection.execute(sql, params))

    async def close(self) -> None:
        """Finish what is queued, then close the connections; closing twice is fine."""
        with self._gate:
            self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._threads.shutdown(wait=True)
        self._idle.close()

    async def _submit(self, work: Callable[[], T]) -> T:
        with self._gate:
            if self._closed:
                raise StorageError("the database is closed")
            future = self._threads.submit(work)
        return await asyncio.wrap_future(future)

    def _read(self, fn: Callable[[Connection], T]) -> T:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        try:
            return self._transact(begin, fn)
        except _LostError:
            return self._transact(begin, fn)

    def _transact(self, begin: str, fn: Callable[[Connection], T]) -> T:
        """Steps: 1 begin, 2 the function, 3 commit. A failure before 3 leaves nothing behind."""
        lent = self._begin(begin)
        connection = lent.connection
        try:
            try:
                value = self._call(connection, fn)
            except StorageError as error:
                if connection.closed:
                    self._idle.forget()
                    raise _LostError(f"{error}; nothing of it was kept", hint=_UNREACHABLE, retryable=True) from None
                raise
            self._commit(connection)
        except BaseException:
            self._roll_back(connection)
            raise
        finally:
            self._idle.give(lent)
        return value

    def _begin(self, begin: str) -> Lent[PgConnection]:
        """Lend a connection on which a transaction has begun; one that went dead while it waited is replaced."""
        import psycopg

        with _translated(self._dsn):
            lent = self._idle.take()
            try:
                lent.connection.execute(begin.encode())
            except psycopg.OperationalError:
                lent.connection.close()
                if lent.fresh:
                    raise
                self._idle.forget()
                lent = self._idle.open()
                try:
                    lent.connection.execute(begin.encode())
                except psycopg.Error:
                    lent.connection.close()
                    raise
            return lent

    def _call(self, connection: PgConnection, fn: Callable[[Connection], T]) -> T:
        from psycopg.rows import dict_row

        def run(sql: str, params: dict[str, object]) -> tuple[list[Row], int]:
            with _translated(self._dsn), connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute(postgres_sql(sql).encode(), params)
                return (cursor.fetchall() if cursor.description else []), cursor.rowcount

        return UnitOfWork(run, "string_agg(line, chr(10))").call(fn)

    def _commit(self, connection: PgConnection) -> None:
        try:
            with _translated(self._dsn):
                connection.execute(b"COMMIT")
        except StorageError as error:
            if not connection.closed:
                raise
            raise StorageError(
                f"the connection was lost while a change was being kept, so whether it was is unknown ({error})",
                hint="look at what is there before you repeat it",
            ) from None

    def _roll_back(self, connection: PgConnection) -> None:
        import psycopg

        with suppress(psycopg.Error):
            if not connection.closed:
                connection.execute(b"ROLLBACK")
            return
        connection.close()


class _LostError(StorageError):
    """The connection went down before the commit: the server undid everything."""


async def open_postgres(
    dsn: str,
    *,
    max_open: int,
    max_idle: int,
    lifetime_s: float,
    schema: str | None = None,
    steps: Sequence[Step] = STEPS,
) -> PostgresDatabase:
    """Connect and bring the tables up to date (in ``schema``, made when absent).

    At most ``max_open`` connections are used at once and ``max_idle`` kept, none longer than ``lifetime_s``.
    Raises ``ConfigError`` when the driver is not installed, ``StorageError`` when the DSN is malformed, the
    server cannot be reached within a few seconds, or a newer akili wrote the database.
    """
    return await asyncio.to_thread(_open, dsn, (max_open, max_idle, lifetime_s), schema, steps)


async def missing_in_postgres(dsn: str, *, schema: str | None = None, steps: Sequence[Step] = STEPS) -> tuple[str, ...]:
    """Give the names of the steps that opening would apply, applying none; raises like ``open_postgres``."""

    def look() -> tuple[str, ...]:
        parts = _parsed(dsn)
        with _translated(parts), _connect(parts, schema) as connection:
            found = connection.execute("SELECT to_regclass('akili_migrations') IS NOT NULL").fetchone()
            return tuple(step.name for step in pending(steps, _applied(connection) if found and found[0] else ()))

    return await asyncio.to_thread(look)


def _open(text: str, limits: tuple[int, int, float], schema: str | None, steps: Sequence[Step]) -> PostgresDatabase:
    max_open, max_idle, lifetime_s = limits
    dsn = _parsed(text)
    idle = IdleConnections(
        partial(_connect, dsn, schema), limit=max_idle, lifetime_s=lifetime_s, monotonic=SystemClock().monotonic
    )
    with _translated(dsn):
        first = idle.open()
        try:
            migrated = _migrate(first.connection, schema, steps)
        except BaseException:
            first.connection.close()
            raise
    idle.give(first)
    return PostgresDatabase(dsn, idle, max_open=max_open, steps=steps, migrated=migrated)


def _parsed(text: str) -> Dsn:
    try:
        import psycopg
    except ImportError as error:
        raise ConfigError(
            "storage.driver is 'postgres', but its driver is not installed",
            hint="install akili-cli with the extra 'pg'",
        ) from error
    try:
        parts = psycopg.conninfo.conninfo_to_dict(text)
    except psycopg.Error:
        raise StorageError(
            "the PostgreSQL DSN cannot be parsed",
            hint="write it as postgresql://user@host:5432/database or as 'host=... dbname=...'",
        ) from None
    return Dsn(text, {name: str(value) for name, value in parts.items() if value is not None})


def _connect(dsn: Dsn, schema: str | None) -> PgConnection:
    import psycopg
    from psycopg import sql
    from psycopg.types.numeric import FloatLoader

    connection = psycopg.connect(**dsn.parts, autocommit=True)  # type: ignore[arg-type] # text options
    try:
        # A sum of bigints is NUMERIC on PostgreSQL; SQLite gives a plain number.
        connection.adapters.register_loader("numeric", FloatLoader)
        settings = (
            "SET synchronous_commit TO off;"
            f"SET lock_timeout TO {LOCK_TIMEOUT_MS};"
            f"SET statement_timeout TO {STATEMENT_TIMEOUT_MS};"
            f"SET idle_in_transaction_session_timeout TO {IDLE_TRANSACTION_TIMEOUT_MS}"
        )
        connection.execute(settings.encode())
        if schema is not None:
            connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: PgConnection, schema: str | None, steps: Sequence[Step]) -> tuple[str, ...]:
    """Apply what is pending in one transaction, under a lock that other openers wait for."""
    from psycopg import sql

    with connection.transaction():
        connection.execute("SET LOCAL statement_timeout TO 0; SET LOCAL synchronous_commit TO on")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        if schema is not None:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS akili_migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        todo = pending(steps, _applied(connection))
        for step in todo:
            for statement in postgres_statements(step):
                connection.execute(statement.encode())
            connection.execute("INSERT INTO akili_migrations (name) VALUES (%s)", [step.name])
    return tuple(step.name for step in todo)


def _applied(connection: PgConnection) -> list[str]:
    return [str(row[0]) for row in connection.execute("SELECT name FROM akili_migrations")]


def shown_dsn(text: str) -> str:
    """Say where a DSN leads, without user and password; raises like ``open_postgres`` when it is malformed."""
    return _parsed(text).shown()
