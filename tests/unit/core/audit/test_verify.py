from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.verify import MAX_PROBLEMS_PER_STREAM, verify
from akili_cli.domain.errors import AuditError
from tests.fakes.clock import FakeClock

KEY = b"k" * 32


async def test_an_empty_audit_is_whole(db: SqliteDatabase, tmp_path: Path) -> None:
    report = await verify(db, tmp_path / "none", KEY)
    assert (report.ok, report.records, report.streams) == (True, 0, 0)


async def test_an_empty_file_of_a_process_that_never_began_is_no_problem(db: SqliteDatabase, tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "20260101T000000Z-1-abcdef.jsonl").write_text("")
    assert (await verify(db, tmp_path / "audit", KEY)).ok


async def test_the_list_of_problems_is_bounded(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    await log.append_all([AuditRecord(kind=Kind.RUN, result=Result.STARTED)] * 100)
    await log.close()
    await db.write(lambda connection: connection.execute("UPDATE audit_events SET user_id = 'evil'"))
    report = await verify(db, tmp_path / "audit", KEY)
    assert len(report.problems) == MAX_PROBLEMS_PER_STREAM
    assert report.problems[0].what == "a column of the row was changed: it differs from the hashed body"
    assert (report.problems[0].stream, report.problems[0].seq) == (log.stream, 1)


async def test_columns_that_only_together_read_like_the_body_are_found(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    await log.append(AuditRecord(kind=Kind.RUN, result=Result.STARTED, user="a", source="b"))
    await log.close()
    sql = """UPDATE audit_events SET org_id = 'default","user":"a', user_id = 'x' WHERE seq = 2"""
    await db.write(lambda connection: connection.execute(sql))
    assert not (await verify(db, tmp_path / "audit", KEY)).ok


async def test_a_wrong_key_size_is_refused(db: SqliteDatabase, tmp_path: Path) -> None:
    with pytest.raises(AuditError):
        await verify(db, tmp_path, b"short")
