from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.domain.errors import ConflictError
from akili_cli.features.keys import store
from tests.unit.features.keys.test_model import KEY


async def test_a_key_reads_back_as_it_was_stored(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "a.db")
    await db.write(lambda c: store.add(c, KEY))
    assert await db.read(lambda c: store.get(c, "default", KEY.id)) == KEY
    assert await db.read(lambda c: store.get(c, "other", KEY.id)) is None
    assert await db.read(lambda c: store.keys(c, "default", "ben")) == []
    with pytest.raises(ConflictError):
        await db.write(lambda c: store.add(c, KEY))
    await db.close()
