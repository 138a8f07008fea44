from __future__ import annotations

from akili_cli.adapters.storage.base import Database


async def test_what_is_written_can_be_read(db: Database) -> None:
    await db.write(lambda c: c.execute("INSERT INTO meta (key, value) VALUES (:k, :v)", {"k": "a", "v": "b"}))
    assert await db.read(lambda c: c.execute("SELECT key, value FROM meta")) == [{"key": "a", "value": "b"}]
