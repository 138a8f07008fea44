from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.core.undo.journal import Journal
from akili_cli.core.undo.settings import UndoSettings
from akili_cli.domain.clock import SystemClock
from tests.fakes.bench import Bench
from tests.fakes.repositories import git, make_repository


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    db = await open_sqlite(tmp_path / "akili.db")
    (tmp_path / "undo").mkdir()
    settings = UndoSettings.model_validate({})
    repo = make_repository(tmp_path / "repo")
    git(repo, "switch", "-q", "feature")
    (repo / "f.txt").write_text("feature\n")
    (repo / "a.txt").write_text("of feature\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "feature")
    git(repo, "switch", "-q", "main")
    yield Bench(repo, Journal(db, tmp_path / "undo", settings, SystemClock(), org="default", host="here"))
    await db.close()
