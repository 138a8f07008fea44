from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit import store
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.domain.errors import AuditError
from tests.fakes.clock import FakeClock


async def make_stream(db: SqliteDatabase, tmp_path: Path) -> str:
    log = await open_audit_log(db, tmp_path / "audit", b"k" * 32, FakeClock(), Redactor())
    await log.append(AuditRecord(kind=Kind.RUN, result=Result.STARTED))
    await log.close()
    return log.stream


async def test_a_page_writes_the_columns_as_the_body_begins(db: SqliteDatabase, tmp_path: Path) -> None:
    stream = await make_stream(db, tmp_path)
    first, second = await db.read(lambda connection: store.page(connection, stream, 0, 10))
    assert str(first["body"]).startswith(f"{first['head']}{first['at']!r}{first['rest']}")
    assert str(second["rest"]).count('"') == store.REST_QUOTES
    assert second["named"] == 1


async def test_streams_are_found_by_their_rows(db: SqliteDatabase, tmp_path: Path) -> None:
    streams = {await make_stream(db, tmp_path) for _ in range(3)}
    assert set(await db.read(store.stream_names)) == streams
    assert {row["stream"] for row in await db.read(store.heads)} == streams
    assert await db.read(store.open_heads) == []


async def test_a_head_that_moved_meanwhile_is_not_moved_again(db: SqliteDatabase, tmp_path: Path) -> None:
    await make_stream(db, tmp_path)
    head = (await db.read(store.heads))[0]
    stale = {**head, "count": 1}
    assert not await db.write(lambda connection: store.move_head(connection, stale, head))
    with pytest.raises(AuditError, match="somebody else"):
        await db.write(lambda connection: store.append(connection, (), stale, head))
