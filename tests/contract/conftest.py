from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from akili_cli.adapters.storage.schema import STEPS, Step
from tests.contract.places import AnyDatabase, OpenDatabase, Place, open_place
from tests.fakes.postgres_server import any_server


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """A real server, for this worker alone unless the developer named one."""
    with any_server() as dsn:
        yield dsn


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where a test's state lives: driver, path or DSN, and schema. Nothing is opened yet."""
    if request.param == "sqlite":
        yield Place("sqlite", str(tmp_path / "akili.db"), "")
        return
    import psycopg

    dsn = request.getfixturevalue("postgres_dsn")
    schema = f"test_{secrets.token_hex(6)}"
    yield Place("postgres", dsn, schema)
    with psycopg.connect(dsn, autocommit=True) as connection:
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
