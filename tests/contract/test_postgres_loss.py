from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psycopg
import pytest

from akili_cli.adapters.storage.backends.postgres import PostgresDatabase, open_postgres
from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.domain.errors import StorageError
from tests.fakes.postgres_server import end_connections, own_database, own_server

INSERT = "INSERT INTO meta (key, value) VALUES (:key, 'v')"
CUT_AT_COMMIT = """
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON meta DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (new.key = 'cut') EXECUTE FUNCTION cut();
"""


@pytest.fixture
def dsn(postgres_dsn: str) -> Iterator[str]:
    with own_database(postgres_dsn) as dsn:
        yield dsn


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[PostgresDatabase]:
    database = await open_postgres(dsn, max_open=4, max_idle=4, lifetime_s=600)
    yield database
    await database.close()


def put(key: str) -> Callable[[Connection], list[Row]]:
    return lambda connection: connection.execute(INSERT, {"key": key})


async def keys(db: PostgresDatabase) -> list[object]:
    return [row["key"] for row in await db.read(lambda c: c.execute("SELECT key FROM meta ORDER BY key"))]


def backends(dsn: str) -> int:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'akili'"
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(sql).fetchone()
    assert row
    return int(row[0])


def busy(connection: Connection) -> None:
    connection.execute("SELECT pg_sleep(0.2)")


async def test_connections_that_died_while_they_waited_are_replaced_unnoticed(db: PostgresDatabase, dsn: str) -> None:
    await asyncio.gather(*(db.read(busy) for _ in range(4)))
    assert end_connections(dsn) == 4
    await db.write(put("a"), durable=True)
    assert await keys(db) == ["a"]


async def test_a_reading_function_is_run_again_from_its_start(db: PostgresDatabase, dsn: str) -> None:
    await db.write(put("a"))
    runs: list[int] = []

    def read(connection: Connection) -> list[Row]:
        connection.execute("SELECT 1")
        runs.append(1)
        if len(runs) == 1:
            end_connections(dsn)
        return connection.execute("SELECT key FROM meta")

    assert await db.read(read) == [{"key": "a"}]
    assert len(runs) == 2


async def test_a_reading_function_is_not_run_for_ever(db: PostgresDatabase, dsn: str) -> None:
    runs: list[int] = []

    def read(connection: Connection) -> list[Row]:
        runs.append(1)
        end_connections(dsn)
        return connection.execute("SELECT 1")

    with pytest.raises(StorageError) as caught:
        await db.read(read)
    assert len(runs) == 2
    assert caught.value.retryable
    assert caught.value.hint


async def test_a_writing_function_is_run_once_and_nothing_of_it_is_kept(db: PostgresDatabase, dsn: str) -> None:
    runs: list[int] = []

    def write(connection: Connection) -> None:
        runs.append(1)
        connection.execute(INSERT, {"key": "lost"})
        end_connections(dsn)
        connection.execute(INSERT, {"key": "too"})

    with pytest.raises(StorageError, match="nothing of it was kept") as caught:
        await db.write(write)
    assert len(runs) == 1
    assert caught.value.retryable
    assert await keys(db) == []
    await db.write(put("next"))
    assert await keys(db) == ["next"]


async def test_a_connection_cut_between_the_last_statement_and_the_commit_is_told_as_unknown(
    db: PostgresDatabase, dsn: str
) -> None:
    def write(connection: Connection) -> None:
        connection.execute(INSERT, {"key": "a"})
        end_connections(dsn)

    with pytest.raises(StorageError, match="unknown") as caught:
        await db.write(write)
    assert not caught.value.retryable
    assert await keys(db) == []


async def test_a_connection_cut_during_the_commit_is_told_as_unknown_and_not_tried_again(
    db: PostgresDatabase, dsn: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(CUT_AT_COMMIT.encode())
    with pytest.raises(StorageError, match="whether it was is unknown") as caught:
        await db.write(put("cut"), durable=True)
    assert not caught.value.retryable
    await db.write(put("next"))
    assert await keys(db) == ["next"]


async def test_a_server_that_is_stopped_is_an_error_at_once_and_one_that_is_back_is_used_again() -> None:
    with own_server() as server:
        db = await open_postgres(server.get_uri(), max_open=4, max_idle=4, lifetime_s=600)
        try:
            await db.write(put("a"), durable=True)
            await asyncio.to_thread(server.stop)
            began = time.monotonic()
            for work in (db.write(put("b")), db.read(lambda c: c.execute("SELECT 1"))):
                with pytest.raises(StorageError, match="cannot be reached") as caught:
                    await work
                assert caught.value.retryable
                assert "server" in caught.value.hint
            assert time.monotonic() - began < 5
            await asyncio.to_thread(server.start)
            await db.write(put("c"))
            assert await keys(db) == ["a", "c"]
        finally:
            await db.close()


async def test_no_more_connections_are_used_and_kept_than_the_settings_say(dsn: str) -> None:
    db = await open_postgres(dsn, max_open=3, max_idle=2, lifetime_s=600)
    try:
        assert backends(dsn) == 1
        most = 0
        work = asyncio.gather(*(db.read(busy) for _ in range(9)))
        while not work.done():
            most = max(most, await asyncio.to_thread(backends, dsn))
            await asyncio.sleep(0.02)
        await work
        assert most == 3
        await _settled(dsn, 2)
    finally:
        await db.close()
    await _settled(dsn, 0)


async def test_no_connection_is_used_beyond_its_lifetime(dsn: str) -> None:
    def pid(connection: Connection) -> Any:
        return connection.execute("SELECT pg_backend_pid() AS pid")[0]["pid"]

    db = await open_postgres(dsn, max_open=1, max_idle=1, lifetime_s=0.3)
    try:
        first = await db.read(pid)
        assert await db.read(pid) == first
        await asyncio.sleep(0.35)
        assert await db.read(pid) != first
    finally:
        await db.close()


async def _settled(dsn: str, expected: int) -> None:
    """A closed connection leaves the server's list a moment later."""
    deadline = time.monotonic() + 5
    while await asyncio.to_thread(backends, dsn) != expected:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_statement_that_takes_too_long_is_ended(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("akili_cli.adapters.storage.backends.postgres.STATEMENT_TIMEOUT_MS", 200)
    db = await open_postgres(dsn, max_open=1, max_idle=1, lifetime_s=600)
    try:
        with pytest.raises(StorageError, match="statement timeout"):
            await db.read(lambda c: c.execute("SELECT pg_sleep(20)"))
        assert await keys(db) == []
    finally:
        await db.close()


async def test_a_peer_that_takes_connections_and_never_answers_is_given_up_in_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(StorageError, match="cannot be reached"):
            await open_postgres(
                f"postgresql://ann:sekret-pw@127.0.0.1:{silent.getsockname()[1]}/x",
                max_open=1,
                max_idle=1,
                lifetime_s=9,
            )
        assert time.monotonic() - began < 10
