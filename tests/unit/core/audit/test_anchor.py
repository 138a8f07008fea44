from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.anchor import SETTLED_S, parse_anchors, take_anchor
from akili_cli.core.audit.chain import ChainKey
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.verify import VerifyReport, verify
from akili_cli.domain.errors import AuditError
from tests.fakes.clock import FakeClock

KEY = b"k" * 32
RECORD = AuditRecord(kind=Kind.RUN, result=Result.STARTED)


async def stream(db: SqliteDatabase, root: Path, clock: FakeClock) -> str:
    log = await open_audit_log(db, root / "audit", KEY, clock, Redactor())
    await log.append(RECORD)
    await log.close()
    clock.move(1)
    return log.stream


async def anchored(db: SqliteDatabase, clock: FakeClock) -> str:
    return (await take_anchor(db, KEY, clock)).line(ChainKey(KEY))


async def check(db: SqliteDatabase, root: Path, *lines: str) -> VerifyReport:
    return await verify(db, root / "audit", KEY, anchors=parse_anchors("\n".join(lines), KEY))


async def test_anchors_hold_while_the_log_grows(db: SqliteDatabase, tmp_path: Path) -> None:
    clock = FakeClock()
    for _ in range(2):
        await stream(db, tmp_path, clock)
    clock.move(SETTLED_S * 2)
    await stream(db, tmp_path, clock)
    log = await open_audit_log(db, tmp_path / "audit", KEY, clock, Redactor())
    first = await anchored(db, clock)
    said = json.loads(first)
    assert (said["settled"], sorted(said["streams"].values())[0][0]) == (2, 1)
    assert len(said["streams"]) == 2
    assert "\n" not in first
    await log.append(RECORD)
    await log.close()
    clock.move(SETTLED_S * 2)
    await stream(db, tmp_path, clock)
    assert (await check(db, tmp_path, first, "", await anchored(db, clock))).problems == ()


@pytest.mark.parametrize("settled", [True, False], ids=["long ended", "recent"])
async def test_the_newest_streams_removed_everywhere_are_found(
    settled: bool, db: SqliteDatabase, tmp_path: Path
) -> None:
    clock = FakeClock()
    await stream(db, tmp_path, clock)
    newest = await stream(db, tmp_path, clock)
    if settled:
        clock.move(SETTLED_S * 2)
    line = await anchored(db, clock)
    for table in ("audit_events", "audit_streams"):
        sql = f"DELETE FROM {table} WHERE stream = :s"
        await db.write(lambda c, sql=sql: c.execute(sql, {"s": newest}))  # type: ignore[misc] # a bound name
    (tmp_path / "audit" / f"{newest}.jsonl").unlink()
    assert (await verify(db, tmp_path / "audit", KEY)).ok
    report = await check(db, tmp_path, line)
    assert ["gone" in p.what or "no longer the same" in p.what for p in report.problems] == [True]


async def test_a_workspace_put_back_to_an_older_copy_is_found(db: SqliteDatabase, tmp_path: Path) -> None:
    clock = FakeClock()
    await stream(db, tmp_path, clock)
    await db.close()
    shutil.copytree(tmp_path, tmp_path / "old", ignore=shutil.ignore_patterns("home", "old"))
    again = await open_sqlite(tmp_path / "akili.db")
    log = await open_audit_log(again, tmp_path / "audit", KEY, clock, Redactor())
    line = await anchored(again, clock)
    await log.close()
    await again.close()
    old = await open_sqlite(tmp_path / "old" / "akili.db")
    assert (await verify(old, tmp_path / "old" / "audit", KEY)).ok
    assert not (await check(old, tmp_path / "old", line)).ok
    await old.close()


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "{}", "[]", "nonsense", '{"akili_audit_anchor":1}', "[" * 10000, "\ud800", '{"mac":NaN}'],
    ids=ascii,
)
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(AuditError):
        parse_anchors(text, KEY)


@pytest.mark.parametrize("name", ["at", "settled", "settled_sha256", "streams", "mac", "akili_audit_anchor"])
async def test_a_changed_anchor_is_refused(name: str, db: SqliteDatabase, tmp_path: Path) -> None:
    clock = FakeClock()
    await stream(db, tmp_path, clock)
    said = json.loads(await anchored(db, clock))
    said[name] = {"x": [1, "y"]} if name == "streams" else 7
    with pytest.raises(AuditError, match="line 1 is no anchor of this workspace"):
        parse_anchors(json.dumps(said), KEY)
    with pytest.raises(AuditError, match="another key"):
        parse_anchors(await anchored(db, clock), b"x" * 32)


async def test_a_changed_head_is_not_anchored(db: SqliteDatabase, tmp_path: Path) -> None:
    await stream(db, tmp_path, FakeClock())
    await db.write(lambda c: c.execute("UPDATE audit_streams SET count = 1"))
    with pytest.raises(AuditError, match="was changed"):
        await take_anchor(db, KEY, FakeClock())
