from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from akili_cli.adapters.storage.schema import STEPS, Step, table_names
from tests.conftest import MIGRATING
from tests.contract.places import AnyDatabase, OpenDatabase, Place, open_place
from tests.fakes.postgres_server import any_server

SHAPES: dict[str, str] = {}  # that of the first schema left by a test, which later ones must equal
SHAPE = """
SELECT c.relname, c.relkind, a.attname, a.atttypid, a.attnotnull, t.tgname, t.tgenabled,
       (SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid)
  FROM pg_class c
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
 WHERE c.relnamespace = to_regnamespace(%(schema)s)
 ORDER BY 1, 3, 6
"""


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """A real server, for this worker alone unless the developer named one."""
    with any_server() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def free_schemas() -> list[str]:
    """Give the schemas that tests have left as whole and, emptied, as they were after akili's migrations."""
    return []


def emptied(connection: psycopg.Connection[Any], schema: str) -> bool:
    """Empty a schema that is as akili's own migrations made it; tell of any other that it is not."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{schema}.akili_migrations"]).fetchone()
    if not row or not row[0]:
        return False
    names = connection.execute(f'SELECT name FROM "{schema}".akili_migrations'.encode()).fetchall()
    shape = repr(connection.execute(SHAPE, {"schema": schema}).fetchall())
    if [name for (name,) in names] != [step.name for step in STEPS] or SHAPES.setdefault("", shape) != shape:
        return False
    rows = " UNION ALL ".join(f'(SELECT \'{name}\' FROM "{schema}"."{name}" LIMIT 1)' for name in table_names())
    full = [f'"{schema}"."{name}"' for (name,) in connection.execute(rows.encode()).fetchall()]
    if full:
        connection.execute(f"TRUNCATE {', '.join(full)} RESTART IDENTITY".encode())
    return True


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where a test's state lives: driver, path or DSN, and schema. Nothing is opened yet."""
    if request.param == "sqlite":
        yield Place("sqlite", str(tmp_path / "akili.db"), "")
        return
    dsn = request.getfixturevalue("postgres_dsn")
    free: list[str] = request.getfixturevalue("free_schemas")
    schema = f"test_{secrets.token_hex(6)}" if request.path.name in MIGRATING or not free else free.pop()
    yield Place("postgres", dsn, schema)
    with psycopg.connect(dsn, autocommit=True) as connection:
        if request.path.name not in MIGRATING and emptied(connection, schema):
            free.append(schema)
        else:
            connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'.encode())


@pytest.fixture
async def open_database(place: Place) -> AsyncIterator[OpenDatabase]:
    """Open the test's place (again); everything is closed at the end."""
    opened: list[AnyDatabase] = []

    async def open_(steps: Sequence[Step] = STEPS) -> AnyDatabase:
        opened.append(await open_place(place, steps))
        return opened[-1]

    yield open_
    for database in opened:
        await database.close()


@pytest.fixture
async def db(open_database: OpenDatabase) -> AnyDatabase:
    return await open_database()
