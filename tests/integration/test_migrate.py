"""A copy into another database that is killed in the middle and repeated; reports its speed."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.fakes.postgres_server import any_server, own_database
from tests.integration.akili import Akili

pytestmark = pytest.mark.timeout(240)  # tens of thousands of rows, several processes
ROWS = 20_000


@pytest.fixture
def dsn() -> Iterator[str]:
    with any_server() as server, own_database(server) as dsn:
        yield dsn


@pytest.fixture
def filled(akili: Akili) -> Akili:
    akili.configure()
    assert akili.run("query", "-m", "Is this host healthy?").returncode in (0, 1)
    with closing(sqlite3.connect(akili.workspace / "akili.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO conversation_messages"
            " (conversation_id, seq, role, content, blocks, token_estimate, created_at)"
            " VALUES (?, ?, 'user', ?, ?, 5, ?)",
            ((f"c{n % 97}", n, f"text {n} é \U0001f525", "[]", n / 7) for n in range(ROWS)),
        )
    return akili


def in_target(dsn: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute("SELECT to_regclass('conversation_messages') IS NOT NULL").fetchone()
        if not found or not found[0]:
            return 0
        row = connection.execute("SELECT count(*) FROM conversation_messages").fetchone()
    assert row
    return int(row[0])


def test_a_copy_that_was_killed_is_finished_by_the_next_and_a_third_finds_it_whole(filled: Akili, dsn: str) -> None:
    env = {"TARGET": dsn}
    before = (filled.workspace / "akili.db").read_bytes()
    process = filled.start("db", "migrate", "--to", "env://TARGET", env=env)
    deadline = time.monotonic() + 60
    while not (there := in_target(dsn)) and process.poll() is None:
        assert time.monotonic() < deadline
    process.kill()
    process.communicate()
    assert 0 < there < ROWS, "it was killed before it began, or after its end"

    code, done = filled.json("db", "migrate", "--to", "env://TARGET", env=env)
    assert (code, done["audit"]["ok"], done["extra"]) == (0, True, 0)
    assert done["present"] > 0
    assert done["copied"] + done["present"] == done["rows"] > ROWS
    code, again = filled.json("db", "migrate", "--to", "env://TARGET", env=env)
    assert (code, again["copied"], again["present"]) == (0, 0, done["rows"])
    assert {t["name"]: t["digest"] for t in again["tables"]} == {t["name"]: t["digest"] for t in done["tables"]}
    assert in_target(dsn) >= ROWS
    assert (filled.workspace / "akili.db").read_bytes() == before

    def words(**env: str) -> object:
        found = json.loads(filled.run("db", "search", "disk full", "--json", env=env).stdout)
        return sorted(row["path"] for row in found)

    assert words(AKILI_DB_DSN=dsn) == words() != []


def test_a_row_that_differs_there_is_named_and_nothing_is_written(filled: Akili, dsn: str) -> None:
    env = {"TARGET": dsn}
    assert filled.run("db", "migrate", env={"AKILI_DB_DSN": dsn}).returncode == 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO conversation_messages VALUES ('c5', 5, 'user', 'another text', '[]', 5, 1)")
    done = filled.run("db", "migrate", "--to", "env://TARGET", env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert (
        b"conversation_id 'c5', seq '5' of the table conversation_messages: content, created_at differ" in done.stderr
    )
    assert in_target(dsn) == 1


def test_what_postgresql_holds_can_come_back(filled: Akili, dsn: str) -> None:
    assert filled.run("db", "migrate", "--to", "env://TARGET", env={"TARGET": dsn}).returncode == 0
    code, back = filled.json("db", "migrate", "--to", "sqlite:///back.db", env={"AKILI_DB_DSN": dsn})
    assert (code, back["copied"], back["audit"]["ok"]) == (0, back["rows"], True)
    with (
        closing(sqlite3.connect(filled.workspace / "akili.db")) as old,
        closing(sqlite3.connect(filled.work / "back.db")) as new,
    ):
        for table in ("conversation_messages", "audit_events", "audit_streams"):
            sql = f"SELECT * FROM {table} ORDER BY 1, 2"
            assert old.execute(sql).fetchall() == new.execute(sql).fetchall()
