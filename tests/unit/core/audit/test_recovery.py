from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.chain import ChainKey
from akili_cli.core.audit.log import AuditLog, open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.recovery import UNKNOWN, interrupted, left_open
from tests.fakes.clock import FakeClock

KEY = b"k" * 32
INTENT = AuditRecord(kind=Kind.CALL_INTENT, result=Result.INTENT, run_id="r", call_id="c", tool="t", digest="d")


async def opened(db: SqliteDatabase, tmp_path: Path) -> AuditLog:
    return await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())


async def test_an_outcome_says_what_its_intent_said(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    entry = await log.append(INTENT)
    (ended,) = await db.read(lambda connection: interrupted(connection, ChainKey(KEY), [log.stream]))
    assert (ended.kind, ended.result, ended.error, ended.intent) == ("call.outcome", "interrupted", UNKNOWN, entry.id)
    assert (ended.run_id, ended.call_id, ended.tool, ended.digest) == ("r", "c", "t", "d")
    await log.close()
    assert await db.read(lambda connection: interrupted(connection, ChainKey(KEY), [log.stream])) == []


async def test_another_key_vouches_for_nothing(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.append(INTENT)
    (ended,) = await db.read(lambda connection: interrupted(connection, ChainKey(b"x" * 32), [log.stream]))
    assert (ended.run_id, ended.tool) == ("", "")
    await log.close()


@pytest.mark.parametrize(
    ("host", "keep", "found"),
    [(os.uname().nodename, True, 1), (os.uname().nodename, False, 1), ("other", True, 1), ("other", False, 0)],
    ids=["our file", "our file is gone", "shared directory", "another machine"],
)
async def test_the_writer_of_another_machine_may_live(
    host: str, keep: bool, found: int, db: SqliteDatabase, tmp_path: Path
) -> None:
    log = await opened(db, tmp_path)
    await log.append(INTENT)
    directory = tmp_path / "audit"
    assert await db.read(lambda connection: left_open(connection, directory)) == []
    log._abandon_file()
    await db.write(lambda connection: connection.execute("UPDATE audit_streams SET host = :host", {"host": host}))
    if not keep:
        (directory / f"{log.stream}.jsonl").unlink()
    assert len(await db.read(lambda connection: left_open(connection, directory))) == found


async def test_a_stream_of_a_strange_name_is_no_path(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.append(INTENT)
    log._abandon_file()
    await db.write(lambda connection: connection.execute("UPDATE audit_streams SET stream = '../x'"))
    await db.write(lambda connection: connection.execute("UPDATE audit_events SET stream = '../x'"))
    assert await db.read(lambda connection: left_open(connection, tmp_path / "audit")) == []
