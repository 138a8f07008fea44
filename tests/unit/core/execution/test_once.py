from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.core.execution.once import begins_once
from akili_cli.domain.errors import AlreadyBegunError
from tests.fakes.wiring import run_by


async def test_a_call_begins_once_in_each_run(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "a.db")
    run = replace(run_by(), once="call 1.1")
    await db.write(begins_once(run, 1.0))
    with pytest.raises(AlreadyBegunError, match="not known"):
        await db.write(begins_once(run, 2.0))
    await db.write(begins_once(replace(run, once="call 1.2"), 2.0))
    await db.write(begins_once(replace(run, id="run-2"), 2.0))
    await db.close()
