from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.reader import AuditReader
from akili_cli.domain.errors import AuditError, NotFoundError
from tests.fakes.clock import FakeClock


async def test_the_tail_is_oldest_first(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await open_audit_log(db, tmp_path / "audit", b"k" * 32, FakeClock(), Redactor())
    await log.append_all([AuditRecord(kind=Kind.RUN, result=Result.STARTED, run_id=f"r{n}") for n in range(5)])
    assert [entry.record.run_id for entry in await AuditReader(db).tail(3)] == ["r2", "r3", "r4"]
    await log.close()


async def test_an_unknown_id_is_not_found(db: SqliteDatabase) -> None:
    with pytest.raises(NotFoundError):
        await AuditReader(db).get("x-1")


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"details":[]}', '{"details":{"rules":"x"}}', "[" * 100_000])
async def test_a_row_that_cannot_be_read_is_an_audit_error(body: str, db: SqliteDatabase, tmp_path: Path) -> None:
    log = await open_audit_log(db, tmp_path / "audit", b"k" * 32, FakeClock(), Redactor())
    await log.close()
    await db.write(lambda connection: connection.execute("UPDATE audit_events SET body = :b", {"b": body}))
    with pytest.raises(AuditError, match="cannot be read"):
        await AuditReader(db).tail(5)
