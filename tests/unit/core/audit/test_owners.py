from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.anchor import parse_anchors, take_anchor
from akili_cli.core.audit.chain import ChainKey
from akili_cli.core.audit.export import export
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.owners import foreign_streams
from akili_cli.core.audit.verify import verify
from tests.fakes.clock import FakeClock

KEYS = {"acme": b"a" * 32, "other": b"o" * 32}


async def record(db: SqliteDatabase, root: Path, org: str, count: int = 3) -> str:
    """Let one process of an organisation, with a workspace and a key of its own, write some records."""
    log = await open_audit_log(db, root / org / "audit", KEYS[org], FakeClock(), Redactor(), org)
    await log.append_all([AuditRecord(kind=Kind.RUN, result=Result.STARTED)] * count)
    await log.close()
    return log.stream


async def test_each_organisation_verifies_its_own_streams_with_its_own_key(db: SqliteDatabase, tmp_path: Path) -> None:
    for org in ("acme", "other", "acme", "other"):
        await record(db, tmp_path, org)
    for org, key in KEYS.items():
        report = await verify(db, tmp_path / org / "audit", key, org=org)
        assert (report.problems, report.streams, report.records) == ((), 2, 8)
    assert not (await verify(db, tmp_path / "acme" / "audit", KEYS["acme"])).ok


async def test_no_process_states_mends_or_closes_a_stream_of_another_organisation(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    log = await open_audit_log(db, tmp_path / "other" / "audit", KEYS["other"], FakeClock(), Redactor(), "other")
    await log.append(AuditRecord(kind=Kind.CALL_INTENT, result=Result.INTENT, run_id="r", call_id="c"))
    log._abandon_file()
    log = await open_audit_log(db, tmp_path / "other" / "audit", KEYS["acme"], FakeClock(), Redactor(), "acme")
    assert log.interrupted == 0
    await log.close()
    rows = await db.read(lambda c: c.execute("SELECT body FROM audit_events WHERE org_id = 'acme' AND seq = 1"))
    assert '"streams":{}' in str(rows[0]["body"])
    assert "suspect" not in str(rows[0]["body"])


async def test_anchors_and_bundles_hold_one_organisation_only(db: SqliteDatabase, tmp_path: Path) -> None:
    mine, theirs = await record(db, tmp_path, "acme"), await record(db, tmp_path, "other")
    anchor = await take_anchor(db, KEYS["acme"], FakeClock(), "acme")
    assert set(anchor.streams) == {mine}
    await record(db, tmp_path, "other")
    kept = parse_anchors(anchor.line(ChainKey(KEYS["acme"])), KEYS["acme"])
    report = await verify(db, tmp_path / "acme" / "audit", KEYS["acme"], anchors=kept, org="acme")
    assert report.problems == ()
    done = await export(db, KEYS["acme"], FakeClock(), tmp_path / "bundle", report, org="acme")
    assert (done.streams, done.records) == (1, 4)
    assert not (tmp_path / "bundle" / "records" / f"{theirs}.jsonl").exists()


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET org_id = 'other' WHERE stream = :mine AND seq = 1"])
async def test_a_stream_cannot_be_given_away_by_changing_a_column(
    db: SqliteDatabase, tmp_path: Path, statement: str
) -> None:
    mine = await record(db, tmp_path, "acme")
    assert (await verify(db, tmp_path / "acme" / "audit", KEYS["acme"], org="acme")).ok
    await db.write(lambda c: c.execute(statement, {"mine": mine}))
    report = await verify(db, tmp_path / "acme" / "audit", KEYS["acme"], org="acme")
    assert [problem.what for problem in report.problems] == [
        "a column of the row was changed: it differs from the hashed body"
    ]


async def test_a_stream_given_away_on_another_machine_is_missed_by_the_next_of_its_organisation(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    mine = await record(db, tmp_path, "acme")
    await record(db, tmp_path, "acme")
    for file in (tmp_path / "acme" / "audit").glob(f"{mine}*"):
        file.unlink()
    await db.write(lambda c: c.execute("UPDATE audit_events SET org_id = 'other' WHERE stream = :s", {"s": mine}))
    report = await verify(db, tmp_path / "acme" / "audit", KEYS["acme"], org="acme")
    assert any("the whole stream was deleted" in problem.what for problem in report.problems)


async def test_a_workspace_used_for_two_organisations_one_after_the_other_keeps_both(
    db: SqliteDatabase, tmp_path: Path
) -> None:
    streams = []
    for org in ("acme", "other"):
        log = await open_audit_log(db, tmp_path / "audit", KEYS["acme"], FakeClock(), Redactor(), org)
        await log.close()
        streams.append(log.stream)
    key = ChainKey(KEYS["acme"])
    found = await db.read(lambda c: foreign_streams(c, "acme", key, streams))
    assert found == {streams[1]}
    for org in ("acme", "other"):
        assert (await verify(db, tmp_path / "audit", KEYS["acme"], org=org)).problems == ()
