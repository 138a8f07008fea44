from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from akili_cli.adapters.engine.backends.dbos import open_dbos
from akili_cli.domain.errors import StorageError


async def test_its_file_is_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    engine = open_dbos("n", {}, path)
    await engine.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_threads_work_after_it_is_closed_and_closing_twice_is_harmless(tmp_path: Path) -> None:
    engine = open_dbos("n", {}, tmp_path / "engine.db")
    await engine.close()
    await engine.close()
    assert await asyncio.to_thread(sum, (1, 2)) == 3


async def test_a_file_that_is_no_database_is_refused_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    path.write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(StorageError, match="engine's tables"):
        open_dbos("n", {}, path)


async def test_a_server_that_is_not_there_is_refused_without_its_password() -> None:
    with pytest.raises(StorageError) as caught:
        open_dbos("n", {}, "postgresql://ann:hunter2-secret@127.0.0.1:9/db?connect_timeout=2")
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
