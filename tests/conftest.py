from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends import sqlite
from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.storage.schema import STEPS, Step

MIGRATING = ("test_sqlite.py", "test_migrations.py", "test_storage.py", "test_schema.py")
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


@pytest.fixture(autouse=True)
def _isolated_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a home of its own and no setting of the developer's."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name in list(os.environ):
        if name.startswith("AKILI_") and not name.startswith("AKILI_TEST_"):
            monkeypatch.delenv(name)
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine is a broken test."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(host).startswith(LOOPBACK):
            raise AssertionError(f"a test tried to reach {address!r}")
        real(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(scope="session")
def _ready_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the file of an empty database with all tables, made as akili makes it."""
    path = tmp_path_factory.mktemp("schema") / "akili.db"

    async def make() -> None:
        await (await open_sqlite(path)).close()

    asyncio.run(make())
    return path.read_bytes()


@pytest.fixture(autouse=True)
def _copied_schema(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _ready_database: bytes) -> None:
    """Where migrations are not what is tested, a new SQLite file begins as a copy of one that has been through them."""
    if request.path.name in MIGRATING:
        return
    real = sqlite._open

    def opened(path: Path, busy_timeout_s: float, steps: Sequence[Step]) -> SqliteDatabase:
        is_new = steps is STEPS and not os.path.lexists(path)
        if is_new:
            with contextlib.suppress(OSError, ValueError):  # akili says what is wrong with the place
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with open(descriptor, "wb") as file:
                    file.write(_ready_database)
        database = real(path, busy_timeout_s, steps)
        if is_new:
            database.migrated = tuple(step.name for step in steps)
        return database

    monkeypatch.setattr(sqlite, "_open", opened)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded to be read: the matrix of attacks against the sandbox."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, text in getattr(report, "user_properties", ()):
                if name == "print":
                    terminalreporter.write_line(str(text))
