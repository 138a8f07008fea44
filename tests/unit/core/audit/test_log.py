from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.adapters.storage.base import Connection
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result
from akili_cli.core.audit.verify import verify
from akili_cli.domain.errors import AuditError, BudgetExceededError
from tests.fakes.clock import FakeClock

KEY = b"k" * 32
RECORD = AuditRecord(kind=Kind.RUN, result=Result.STARTED)


async def test_the_first_record_anchors_the_streams_before(db: SqliteDatabase, tmp_path: Path) -> None:
    first = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    entry = await first.append(RECORD)
    await first.close()
    second = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    line = (tmp_path / "audit" / f"{second.stream}.jsonl").read_text()
    assert f'"{first.stream}":[2,"{entry.hash}",1]' in line
    await second.close()


async def test_entries_carry_the_clocks_time_and_the_logs_organisation(db: SqliteDatabase, tmp_path: Path) -> None:
    clock = FakeClock()
    log = await open_audit_log(db, tmp_path / "audit", KEY, clock, Redactor(), org="acme")
    clock.move(5)
    entry = await log.append(RECORD)
    assert (entry.at, entry.record.org) == (clock.now(), "acme")
    assert entry.id == f"{log.stream}-2"
    await log.close()


async def test_nothing_to_append_is_nothing(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    assert await log.append_all([]) == []
    await log.close()


async def test_a_caller_that_gives_up_leaves_the_record_and_the_log_whole(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    caller = asyncio.create_task(log.append(RECORD))
    await asyncio.sleep(0)
    caller.cancel()
    assert (await log.append(RECORD)).seq == 3
    await log.close()
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()


async def test_what_its_guard_refuses_is_not_written_and_the_rest_of_the_group_is(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    log = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    seen: list[object] = []

    def full(connection: Connection) -> None:
        seen.append(connection.execute("SELECT count(*) AS n FROM audit_events")[0]["n"])
        raise BudgetExceededError("nothing left")

    def room(connection: Connection) -> None:
        seen.append(connection.execute("SELECT count(*) AS n FROM audit_events")[0]["n"])

    done = await asyncio.gather(
        log.append(RECORD, guard=room),
        log.append(RECORD, guard=full),
        log.append(RECORD),
        log.append(RECORD, guard=full),
        return_exceptions=True,
    )
    assert [type(one) for one in done] == [AuditEntry, BudgetExceededError, AuditEntry, BudgetExceededError]
    assert seen == [1, 1, 1]
    with pytest.raises(BudgetExceededError):
        await log.append(RECORD, guard=full)
    assert (await log.append(RECORD)).seq == 4
    await log.close()
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()
    assert await db.read(lambda connection: connection.execute("SELECT max(seq) AS n FROM audit_events")) == [{"n": 4}]


async def test_a_guard_that_breaks_the_transaction_fails_its_group_and_the_log_goes_on_in_another_stream(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    log = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    first = log.stream

    def broken(connection: Connection) -> None:
        connection.execute("SELECT nonsense FROM nowhere")

    done = await asyncio.gather(log.append(RECORD, guard=broken), log.append(RECORD), return_exceptions=True)
    assert [type(one) for one in done] == [AuditError, AuditError]
    assert (await log.append(RECORD)).seq == 2
    assert log.stream != first
    await log.close()
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()


async def test_a_head_that_was_changed_is_named_in_the_next_anchor(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    await log.close()
    await db.write(lambda connection: connection.execute("UPDATE audit_streams SET count = 0"))
    after = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    assert f'"suspect":["{log.stream}"]' in (tmp_path / "audit" / f"{after.stream}.jsonl").read_text()
    await after.close()
    assert not (await verify(db, tmp_path / "audit", KEY)).ok


@pytest.mark.parametrize("kind", ["file", "link", "open to others"])
async def test_a_directory_that_is_not_ours_alone_is_refused(kind: str, db: SqliteDatabase, tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    if kind == "file":
        directory.write_text("")
    elif kind == "link":
        (tmp_path / "real").mkdir(mode=0o700)
        directory.symlink_to(tmp_path / "real")
    else:
        directory.mkdir()
        directory.chmod(0o777)
    with pytest.raises(AuditError):
        await open_audit_log(db, directory, KEY, FakeClock(), Redactor())


async def test_a_closed_database_is_an_audit_error(db: SqliteDatabase, tmp_path: Path) -> None:
    log = await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
    await db.close()
    with pytest.raises(AuditError, match="closed"):
        await log.append(RECORD)
    with pytest.raises(AuditError):
        await open_audit_log(db, tmp_path / "audit", KEY, FakeClock(), Redactor())
