from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.adapters.storage.base import Connection
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import AuditLog, open_audit_log
from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result
from akili_cli.core.audit.observers import tell
from akili_cli.core.audit.reader import AuditReader
from akili_cli.domain.errors import AuditError, BudgetExceededError
from tests.fakes.clock import FakeClock

RECORD = AuditRecord(kind=Kind.RUN, result=Result.STARTED)


async def opened(db: SqliteDatabase, tmp_path: Path) -> AuditLog:
    return await open_audit_log(db, tmp_path / "audit", b"k" * 32, FakeClock(), Redactor())


def test_without_an_observer_nobody_is_told() -> None:
    tell(None, [])


async def test_what_is_seen_is_what_is_recorded_in_order_and_once(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    seen: list[AuditEntry] = []
    log.observer = seen.append

    def refuse(_connection: Connection) -> None:
        raise BudgetExceededError("nothing left")

    await asyncio.gather(
        log.append(RECORD), log.append_all([RECORD, RECORD]), log.append(RECORD, guard=refuse), return_exceptions=True
    )
    recorded = await AuditReader(db, "default").tail(10)
    assert [entry.id for entry in seen] == [entry.id for entry in recorded if entry.record.kind == "run"]
    assert len(seen) == 3
    await log.close()


async def test_an_observer_sees_what_is_durable_already(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    lines: list[str] = []
    log.observer = lambda entry: lines.append(
        (tmp_path / "audit" / f"{entry.stream}.jsonl").read_text().splitlines()[-1]
    )
    entry = await log.append(RECORD)
    assert entry.hash in lines[0]
    await log.close()


async def test_one_that_breaks_is_logged_and_the_record_stands(
    db: SqliteDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = await opened(db, tmp_path)

    def broken(_entry: AuditEntry) -> None:
        raise ZeroDivisionError

    log.observer = broken
    with caplog.at_level(logging.ERROR):
        entry = await log.append(RECORD)
    assert "an observer of the audit broke" in caplog.text
    assert (await AuditReader(db, "default").tail(1))[0].id == entry.id
    await log.close()


async def test_what_could_not_be_recorded_is_counted_and_not_seen(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    seen: list[AuditEntry] = []
    log.observer = seen.append
    (tmp_path / "audit" / f"{log.stream}.jsonl").unlink()
    for _ in range(2):
        with pytest.raises(AuditError):
            await log.append_all([RECORD, RECORD])
    assert (log.failures, seen) == (4, [])


async def test_a_check_says_beforehand_that_a_record_would_be_refused(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    log.check()
    (tmp_path / "audit" / f"{log.stream}.jsonl").unlink()
    with pytest.raises(AuditError, match="was removed while it was in use"):
        log.check()
    with pytest.raises(AuditError):
        await log.append(RECORD)
    with pytest.raises(AuditError, match="could not be written"):
        log.check()
