"""PostgreSQL: a pool of psycopg connections driven from threads, with the semantics of the SQLite driver.

Writers run side by side here (READ COMMITTED): a function that decides on what it read first takes the row's
lock, for example by updating it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.migrations import pending, postgres_statements, searchable
from akili_cli.adapters.storage.portable import UnitOfWork, postgres_sql, search_words
from akili_cli.adapters.storage.schema import STEPS, Step
from akili_cli.domain.errors import ConfigError, ConflictError, StorageError

if TYPE_CHECKING:
    import psycopg
    import psycopg_pool

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 15.0
LOCK_TIMEOUT_MS = 15_000
MIGRATION_LOCK = 0x616B696C69  # "akili"

_RETRYABLE = ("08", "40", "53", "55", "57")  # connection, rollback, resources, locks, shutdown


class _Dsn:
    """A connection string that keeps its password out of every text."""

    def __init__(self, dsn: str) -> None:
        import psycopg

        try:
            parts = psycopg.conninfo.conninfo_to_dict(dsn)
        except psycopg.Error:
            raise StorageError(
                "the PostgreSQL DSN cannot be parsed",
                hint="write it as postgresql://user@host:5432/database or as 'host=... dbname=...'",
            ) from None
        self.parts: dict[str, str] = {name: str(value) for name, value in parts.items() if value is not None}
        self.parts.setdefault("connect_timeout", str(CONNECT_TIMEOUT_S))
        self.parts.setdefault("application_name", "akili")
        self._secrets = [self.parts[name] for name in ("password", "sslpassword") if self.parts.get(name)]
        self._secrets.append(dsn)

    def masked(self, text: str) -> str:
        """Give a driver's text without the secrets of the connection string."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text.strip()


@contextmanager
def _translated(dsn: _Dsn) -> Iterator[None]:
    """Turn the driver's exceptions into ours, in this one place."""
    import psycopg
    import psycopg_pool

    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise ConflictError(f"that key is taken: {error.diag.constraint_name}") from None
    except (psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed, psycopg_pool.TooManyRequests) as error:
        raise StorageError(
            f"no database connection became free: {dsn.masked(str(error))}",
            hint="check the database server, or raise storage.postgres.max_open_conns",
            retryable=True,
        ) from None
    except psycopg.Error as error:
        lost = error.sqlstate is None and isinstance(error, psycopg.OperationalError)
        raise StorageError(
            f"the database refused: {dsn.masked(error.diag.message_primary or str(error))}",
            hint="check that the database server runs and can be reached" if lost else "",
            retryable=lost or (error.sqlstate or "").startswith(_RETRYABLE),
        ) from None


class PostgresDatabase:
    """``Database`` over a PostgreSQL server; ``migrated`` names the steps that opening it applied."""

    dialect = "postgres"

    def __init__(
        self, dsn: _Dsn, pool: psycopg_pool.ConnectionPool, steps: Sequence[Step], migrated: tuple[str, ...]
    ) -> None:
        """Take over an open pool; ``open_postgres`` makes one."""
        self.migrated = migrated
        self._dsn = dsn
        self._pool = pool
        self._steps = steps
        self._gate = threading.Lock()
        self._closed = False
        self._threads = ThreadPoolExecutor(pool.max_size, thread_name_prefix="akili-db")

    async def write(self, fn: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run a function in a transaction of its own; returns after the commit."""
        return await self._submit(partial(self._write, fn, durable))

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run a function on one snapshot of the data, in a transaction that cannot write."""
        return await self._submit(partial(self._read, fn))

    async def search(self, table: str, words: str, limit: int) -> list[Row]:
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
            f'WHERE "fts" @@ query ORDER BY score DESC, {order} LIMIT :limit'
        )
        return await self.read(lambda connection: connection.execute(sql, {"words": match, "limit": limit}))

    async def close(self) -> None:
        """Finish what is queued, then close the pool; closing twice is fine."""
        with self._gate:
            self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._threads.shutdown(wait=True)
        self._pool.close()

    async def _submit(self, work: Callable[[], T]) -> T:
        with self._gate:
            if self._closed:
                raise StorageError("the database is closed")
            future = self._threads.submit(work)
        return await asyncio.wrap_future(future)

    def _write(self, fn: Callable[[Connection], T], durable: bool) -> T:
        from psycopg import IsolationLevel

        with (
            _translated(self._dsn),
            self._pool.connection(POOL_TIMEOUT_S) as connection,
        ):
            connection.isolation_level = IsolationLevel.READ_COMMITTED
            connection.read_only = False
            with connection.transaction():
                if durable:
                    connection.execute("SET LOCAL synchronous_commit TO on")
                return self._call(connection, fn)

    def _read(self, fn: Callable[[Connection], T]) -> T:
        from psycopg import IsolationLevel

        with (
            _translated(self._dsn),
            self._pool.connection(POOL_TIMEOUT_S) as connection,
        ):
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with connection.transaction():
                return self._call(connection, fn)

    def _call(self, connection: psycopg.Connection[tuple[object, ...]], fn: Callable[[Connection], T]) -> T:
        from psycopg.rows import dict_row

        def run(sql: str, params: dict[str, object]) -> tuple[list[Row], int]:
            with _translated(self._dsn), connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute(postgres_sql(sql).encode(), params)
                return (cursor.fetchall() if cursor.description else []), cursor.rowcount

        return UnitOfWork(run, "string_agg(line, chr(10))").call(fn)


async def open_postgres(
    dsn: str,
    *,
    max_open: int,
    min_idle: int,
    lifetime_s: float,
    schema: str | None = None,
    steps: Sequence[Step] = STEPS,
) -> PostgresDatabase:
    """Connect, bring the tables up to date (in ``schema``, made when absent), and open the pool.

    Raises ``ConfigError`` when the driver is not installed, ``StorageError`` when the DSN is malformed, the
    server cannot be reached within a few seconds, or a newer akili wrote the database.
    """
    return await asyncio.to_thread(_open, dsn, (max_open, min_idle, lifetime_s), schema, steps)


def _open(text: str, limits: tuple[int, int, float], schema: str | None, steps: Sequence[Step]) -> PostgresDatabase:
    try:
        import psycopg
        import psycopg_pool
    except ImportError as error:
        raise ConfigError(
            "storage.driver is 'postgres', but its driver is not installed",
            hint="install akili-cli with the extra 'pg'",
        ) from error
    dsn = _Dsn(text)
    with _translated(dsn):
        with psycopg.connect(**dsn.parts, autocommit=True) as connection:  # type: ignore[arg-type] # text options
            _configure(connection, schema)
            migrated = _migrate(connection, schema, steps)
        max_open, min_idle, lifetime_s = limits
        pool = psycopg_pool.ConnectionPool(
            kwargs={**dsn.parts, "autocommit": True},
            min_size=min(min_idle, max_open),
            max_size=max_open,
            max_lifetime=lifetime_s,
            num_workers=1,
            configure=partial(_configure, schema=schema),
            open=True,
        )
    return PostgresDatabase(dsn, pool, steps, migrated)


def _configure(connection: psycopg.Connection[tuple[object, ...]], schema: str | None) -> None:
    from psycopg import sql
    from psycopg.types.numeric import FloatLoader

    # A sum of bigints is NUMERIC on PostgreSQL; SQLite gives a plain number.
    connection.adapters.register_loader("numeric", FloatLoader)
    connection.execute("SET synchronous_commit TO off")
    connection.execute(sql.SQL("SET lock_timeout TO {}").format(LOCK_TIMEOUT_MS))
    if schema is not None:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))


def _migrate(
    connection: psycopg.Connection[tuple[object, ...]], schema: str | None, steps: Sequence[Step]
) -> tuple[str, ...]:
    """Apply what is pending in one transaction, under a lock that other openers wait for."""
    from psycopg import sql

    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        if schema is not None:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS akili_migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = [str(row[0]) for row in connection.execute("SELECT name FROM akili_migrations")]
        todo = pending(steps, applied)
        for step in todo:
            for statement in postgres_statements(step):
                connection.execute(statement.encode())
            connection.execute("INSERT INTO akili_migrations (name) VALUES (%s)", [step.name])
    return tuple(step.name for step in todo)
