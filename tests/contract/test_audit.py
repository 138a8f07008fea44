"""The audit log on every database: durable, ordered, verifiable, and closed when it cannot write."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.base import Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.linefile import LineReader, is_locked
from akili_cli.core.audit.log import AuditLog, open_audit_log
from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result
from akili_cli.core.audit.reader import AuditReader, Search
from akili_cli.core.audit.verify import verify
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.errors import AuditError, NotFoundError

KEY = b"k" * 32


def record(number: int = 0, **more: object) -> AuditRecord:
    said: dict[str, object] = {
        "kind": Kind.CALL_OUTCOME,
        "result": Result.SUCCESS,
        "user": "anna",
        "source": "cli",
        "tool": "shell_exec",
        "run_id": "r1",
        "call_id": f"c{number}",
        "parameters": {"command": f"df {number}"},
    }
    return AuditRecord(**(said | more))  # type: ignore[arg-type] # a test names real fields


async def opened(db: Database, tmp_path: Path, redactor: Redactor | None = None, org: str = "default") -> AuditLog:
    return await open_audit_log(db, tmp_path / "audit", KEY, SystemClock(), redactor or Redactor(), org)


async def test_a_record_is_a_row_and_a_line_and_verifies(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    entry = await log.append(record(cost_usd=0.25, rules=("a@b:1",), correlation_id="c0ffee"))
    assert entry.id == f"{log.stream}-2"
    path = tmp_path / "audit" / f"{log.stream}.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    said = json.loads(path.read_text().splitlines()[1])
    assert (said["seq"], said["tool"], said["hash"]) == (2, "shell_exec", entry.hash)
    assert await AuditReader(db).get(entry.id) == entry
    await log.close()
    report = await verify(db, tmp_path / "audit", KEY)
    assert (report.ok, report.records, report.problems) == (True, 2, ())


async def test_many_at_once_are_chained_in_the_order_of_their_numbers(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    entries = await asyncio.gather(*(log.append(record(number)) for number in range(64)))
    batch = await log.append_all([record(n) for n in (100, 101, 102)])
    assert sorted(entry.seq for entry in entries) == list(range(2, 66))
    assert [entry.seq for entry in batch] == [66, 67, 68]
    assert batch[0].hash == batch[1].prev_hash
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()
    await log.close()


async def test_verify_while_another_writes(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)

    async def write() -> None:
        for number in range(40):
            await log.append_all([record(number), record(number)])

    writing = asyncio.create_task(write())
    while not writing.done():
        assert (await verify(db, tmp_path / "audit", KEY)).problems == ()
    await writing
    await log.close()


async def test_lines_that_arrive_between_two_looks_at_rows_are_no_damage(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(db, tmp_path)
    await log.append_all([record(number) for number in range(3)])
    path = tmp_path / "audit" / f"{log.stream}.jsonl"
    whole = path.read_bytes()
    os.truncate(path, whole.index(b"\n") + 1)
    hold = LineReader.hold

    def held(self: LineReader, line: bytes) -> None:
        hold(self, line)
        path.write_bytes(whole)

    monkeypatch.setattr(LineReader, "hold", held)
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()
    assert path.read_bytes() == whole
    await log.close()


async def test_half_a_line_is_left_to_a_living_writer_and_is_damage_of_a_dead_one(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.append(record(1))
    with (tmp_path / "audit" / f"{log.stream}.jsonl").open("ab") as file:
        file.write(b'{"stream":"half a li')
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()
    await killed(log)
    assert not (await verify(db, tmp_path / "audit", KEY)).ok


async def test_a_line_that_arrives_while_its_stream_is_checked_is_no_damage(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(db, tmp_path)
    await log.append_all([record(1), record(2)])
    path = tmp_path / "audit" / f"{log.stream}.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    os.truncate(path, first)

    def locked(asked: Path) -> bool:
        if path.stat().st_size == first:
            path.write_bytes(whole)
        return is_locked(asked)

    monkeypatch.setattr("akili_cli.core.audit.verify.is_locked", locked)
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()
    assert path.read_bytes() == whole
    await log.close()


async def test_two_writers_make_two_streams(db: Database, tmp_path: Path) -> None:
    one, two = await opened(db, tmp_path), await opened(db, tmp_path)
    await asyncio.gather(*(log.append(record(number)) for number in range(10) for log in (one, two)))
    await one.close()
    await two.close()
    report = await verify(db, tmp_path / "audit", KEY)
    assert (report.problems, report.streams, report.records) == ((), 2, 22)


async def test_secrets_are_gone_before_anything_is_written(db: Database, tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.register("hunter2-s3cret", "db")
    log = await opened(db, tmp_path, redactor)
    entry = await log.append(
        record(
            parameters={"command": "x hunter2-s3cret", "password": "abcdefgh"}, tool="t hunter2-s3cret", error="y" * 9
        )
    )
    assert entry.record.tool == "t [redacted:db]"
    assert entry.record.parameters == {"command": "x [redacted:db]", "password": "[redacted:password]"}
    await log.close()
    for path in (*(tmp_path / "audit").iterdir(), *tmp_path.glob("akili.db*")):
        assert b"hunter2" not in path.read_bytes()
        assert b"abcdefgh" not in path.read_bytes()


@pytest.mark.parametrize(
    "parameters",
    [
        {"x": "nul \0 lone \ud800 bell \x07 \u202e"},
        {"x": float("nan"), "y": 10**5000},
        {1: "a", "b": {2, 3}},
        {"content": "c" * 100_000},
        {"x": ["y" * 1999] * 500},
        {"x": {"y": {"z": b"\xff"}}},
    ],
    ids=["characters", "numbers", "keys", "content", "huge", "bytes"],
)
async def test_hostile_parameters_are_recorded(parameters: dict[str, object], db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    hostile = "tool \0\n\ud800\u202e" + "x" * 5000
    entry = await log.append(record(parameters=parameters, tool=hostile, call_id=hostile))
    assert await AuditReader(db).get(entry.id) == entry
    assert len(entry.record.tool) <= 500
    await log.close()
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()


async def test_reader_finds_by_user_tool_result_and_correlation(db: Database, tmp_path: Path) -> None:
    log, other = await opened(db, tmp_path), await opened(db, tmp_path, org="acme")
    await log.append_all([record(1), record(2, user="bob"), record(3, tool="web_fetch", correlation_id="c1")])
    await log.append(record(4, result=Result.POLICY_DENIED, correlation_id="c1"))
    await other.append(record(5))
    reader = AuditReader(db)

    def calls(entries: object) -> list[str]:
        return [entry.record.call_id for entry in entries]  # type: ignore[attr-defined] # entries

    assert calls(await reader.tail(3)) == ["c2", "c3", "c4"]
    assert calls(await reader.tail(9, user="bob")) == ["c2"]
    assert calls(await reader.tail(9, tool="web_fetch")) == ["c3"]
    assert calls(await reader.tail(9, result="policy_denied")) == ["c4"]
    assert calls(await reader.by_correlation("c1")) == ["c3", "c4"]
    assert await reader.tail(0) == []
    assert calls(await AuditReader(db, "acme").tail(1)) == ["c5"]
    with pytest.raises(NotFoundError):
        await AuditReader(db, "acme").get((await reader.tail(1))[0].id)
    await log.close()
    await other.close()


def intent(number: int, **more: object) -> AuditRecord:
    return record(number, **({"kind": Kind.CALL_INTENT, "result": Result.INTENT} | more))


async def killed(log: AuditLog) -> None:
    """Leave a log as a killed process does: its rows and its file as they are, its lock gone."""
    log._abandon_file()


def calls_of(entries: list[AuditEntry]) -> list[tuple[str, str]]:
    return [(entry.record.run_id, entry.record.call_id) for entry in entries]


async def test_an_intent_without_an_outcome_is_ended_by_the_next_process(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    held = record(4, result=Result.APPROVAL_PENDING)
    left = [intent(2, rules=("a@b:1",)), intent(1, run_id="r2"), intent(4), intent(5, org="acme")]
    await log.append_all([intent(1), record(1), held, *left, intent(3), record(3), intent(6), record(6), intent(6)])
    reader, files = AuditReader(db), tmp_path / "audit"
    assert await reader.left_open(files) == []
    await killed(log)
    open_calls = [("r1", "c2"), ("r2", "c1"), ("r1", "c4"), ("r1", "c6")]
    assert calls_of(await reader.left_open(files)) == open_calls
    assert calls_of(await AuditReader(db, "acme").left_open(files)) == [("r1", "c5")]
    assert await reader.interrupted(0) == []
    after = await opened(db, tmp_path)
    assert (after.interrupted, await reader.left_open(files)) == (5, [])
    ended = await reader.interrupted(0)
    assert calls_of(ended) == open_calls
    assert calls_of(await AuditReader(db, "acme").interrupted(0)) == [("r1", "c5")]
    first, began = ended[0].record, await reader.get(ended[0].record.intent)
    assert (first.kind, first.result, first.tool, first.rules) == (
        "call.outcome",
        "interrupted",
        "shell_exec",
        ("a@b:1",),
    )
    assert (began.record.call_id, began.record.parameters) == (first.call_id, first.parameters)
    assert "was not repeated" in first.error
    assert await reader.interrupted(ended[-1].at + 1) == []
    await after.close()
    again = await opened(db, tmp_path)
    assert again.interrupted == 0
    await again.close()
    assert (await verify(db, files, KEY)).problems == ()


async def test_an_intent_is_ended_once_however_many_processes_start(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.append_all([intent(number) for number in range(5)])
    await killed(log)
    logs = await asyncio.gather(*(opened(db, tmp_path) for _ in range(6)))
    assert sorted(each.interrupted for each in logs) == [0, 0, 0, 0, 0, 5]
    await asyncio.gather(*(each.close() for each in logs))
    assert calls_of(await AuditReader(db).interrupted(0)) == [("r1", f"c{number}") for number in range(5)]
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()


async def test_what_a_living_process_does_is_left_alone(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.append(intent(1))
    other = await opened(db, tmp_path)
    assert (other.interrupted, await AuditReader(db).left_open(tmp_path / "audit")) == (0, [])
    await log.append(record(1))
    await other.close()
    await log.close()
    assert await AuditReader(db).interrupted(0) == []


async def test_a_process_that_ends_in_order_leaves_no_intent_open(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.append_all([intent(1), record(1), intent(2)])
    await log.close()
    assert calls_of(await AuditReader(db).interrupted(0)) == [("r1", "c2")]
    after = await opened(db, tmp_path)
    assert after.interrupted == 0
    await after.close()
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()


@pytest.mark.parametrize(
    "change",
    ["body = replace(body, 'df 1', 'ls 1')", "tool = 'file_write'", "body = '{'", "body = 'nul'", "hash = ''"],
    ids=["body", "column", "cut", "no object", "hash"],
)
async def test_a_changed_intent_is_ended_without_repeating_what_it_says(
    change: str, db: Database, tmp_path: Path
) -> None:
    log = await opened(db, tmp_path)
    entry, _ = await log.append_all([intent(1), record(2)])
    await killed(log)
    sql = f"UPDATE audit_events SET {change} WHERE id = :id"
    await db.write(lambda connection: connection.execute(sql, {"id": entry.id}))
    after = await opened(db, tmp_path)
    (ended,) = await AuditReader(db).interrupted(0)
    assert (ended.record.intent, ended.record.tool, ended.record.parameters) == (entry.id, "", {})
    assert "was changed" in ended.record.error
    await after.close()
    assert not (await verify(db, tmp_path / "audit", KEY)).ok


async def test_a_suspect_stream_is_not_closed_and_its_intents_stay_open(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.append(intent(1))
    await killed(log)
    await db.write(lambda connection: connection.execute("UPDATE audit_streams SET pid = 1"))
    after = await opened(db, tmp_path)
    assert after.interrupted == 0
    assert len(await AuditReader(db).left_open(tmp_path / "audit")) == 1
    await after.close()


async def test_after_a_failed_write_nothing_is_recorded_any_more(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.append(record(1))
    sql = "UPDATE audit_streams SET count = 7 WHERE stream = :stream"
    await db.write(lambda connection: connection.execute(sql, {"stream": log.stream}))
    for _ in range(3):
        with pytest.raises(AuditError, match="changed by somebody else"):
            await log.append(record(2))
    with pytest.raises(AuditError):
        await asyncio.gather(*(log.append(record(n)) for n in range(5)))
    assert [entry.record.call_id for entry in await AuditReader(db).tail(9)] == ["", "c1"]
    await log.close()


async def test_a_file_that_cannot_be_written_closes_the_log(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    assert log._file is not None
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._file._fd)
    os.close(full)
    for _ in range(2):
        with pytest.raises(AuditError, match="No space left"):
            await log.append(record(1))
    await log.close()
    mended = await opened(db, tmp_path)
    await mended.close()
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()


async def test_a_closed_log_refuses(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.close()
    await log.close()
    with pytest.raises(AuditError, match="closed"):
        await log.append(record(1))


@pytest.mark.parametrize("keep", [0, 1, 10, -1, -200], ids=["empty", "one byte", "ten", "no newline", "half a line"])
async def test_a_torn_end_is_filled_in_by_the_next_process(keep: int, db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.append_all([record(number) for number in range(5)])
    log._abandon_file()
    path = tmp_path / "audit" / f"{log.stream}.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    assert not (await verify(db, tmp_path / "audit", KEY)).ok
    after = await opened(db, tmp_path)
    assert path.read_bytes() == whole
    anchor = await AuditReader(db).get(f"{after.stream}-1")
    assert log.stream in str(anchor.record.parameters["restored_lines"])
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()
    await after.close()


@pytest.mark.parametrize("damage", [b"{}\n", b"garbage", b"\0" * 50], ids=["line", "text", "zeros"])
async def test_a_damaged_file_is_kept_as_evidence(damage: bytes, db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    log._abandon_file()
    path = tmp_path / "audit" / f"{log.stream}.jsonl"
    damaged = path.read_bytes() + damage
    path.write_bytes(damaged)
    after = await opened(db, tmp_path)
    assert path.read_bytes() == damaged
    assert log.stream in str((await AuditReader(db).get(f"{after.stream}-1")).record.parameters["damaged"])
    assert not (await verify(db, tmp_path / "audit", KEY)).ok
    await after.close()


async def test_a_living_writer_is_left_alone(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    other = await opened(db, tmp_path)
    await log.append(record(1))
    await log.close()
    await other.close()
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()


async def test_many_short_streams_keep_their_anchors_small(db: Database, tmp_path: Path) -> None:
    for number in range(25):
        log = await opened(db, tmp_path)
        await log.append(record(number))
        await log.close()
    anchor = await AuditReader(db).get(f"{log.stream}-1")
    streams = anchor.record.parameters["streams"]
    assert isinstance(streams, dict)
    assert 8 <= len(streams) <= 25
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()


CRASHING = """
import asyncio, os, signal, sys
from pathlib import Path
from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.domain.clock import SystemClock

async def main():
    root = Path(sys.argv[1])
    db = await open_sqlite(root / "akili.db")
    log = await open_audit_log(db, root / "audit", b"k" * 32, SystemClock(), Redactor())

    async def worker(n):
        for call in range(1000):
            entry = await log.append(
                AuditRecord(kind=Kind.CALL_INTENT, result=Result.INTENT, run_id="r", call_id=f"{n}-{call}"))
            print(entry.id, flush=True)
            if entry.seq > 60:
                os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.gather(*(worker(n) for n in range(8)))

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_a_kill(place: tuple[str, str, str], db: Database, tmp_path: Path) -> None:
    if place[0] != "sqlite":
        pytest.skip("the killed process writes SQLite")
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", CRASHING, str(tmp_path)], capture_output=True, text=True, timeout=50
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    acknowledged = killed.stdout.split()
    assert len(acknowledged) >= 50
    log = await opened(db, tmp_path)
    assert (await verify(db, tmp_path / "audit", KEY)).problems == ()
    assert log.interrupted >= len(acknowledged)
    assert set(acknowledged) <= {entry.record.intent for entry in await AuditReader(db).interrupted(0)}
    await log.close()


async def test_search_finds_newest_first_by_every_field(db: Database, tmp_path: Path) -> None:
    log = await opened(db, tmp_path)
    await log.append_all(
        [
            record(1, parameters={"command": "Größe 100%_! \"q\" 'x' \\"}),
            record(2, user="bob", rule="no-rm@a.yaml:3", rules=("deny no-rm@a.yaml:3", "allow r2@built-in")),
            record(3, tool="web_fetch", correlation_id="c1", result=Result.FAILURE),
            record(4, run_id="r2"),
        ]
    )
    await log.close()
    reader = AuditReader(db)

    async def found(**wanted: object) -> list[str]:
        entries = await reader.search(Search(**wanted), 10)  # type: ignore[arg-type] # a test names real fields
        return [entry.record.call_id for entry in entries if entry.record.call_id]

    assert await found() == ["c4", "c3", "c2", "c1"]
    assert await found(user="bob") == ["c2"]
    assert await found(tool="web_fetch", result="failure") == ["c3"]
    assert await found(correlation_id="c1") == ["c3"]
    assert await found(run_id="r2") == ["c4"]
    assert await found(rule="no-rm") == await found(rule="r2") == ["c2"]
    assert await found(rule="no-r") == await found(rule="%") == []
    for text in ("größe"[2:], "100%_!", "100%", '"q"', "'x' \\", "GR", "DF 2", "Größe"):
        assert await found(text=text), text
    for text in ("100_", "%z", "!x", "'; DROP TABLE audit_events --"):
        assert await found(text=text) == [], text
    at = (await reader.search(Search(tool="web_fetch"), 1))[0].at
    assert "c4" not in await found(until=at)
    assert "c3" in await found(since=at)
    assert await found(since=at + 3600) == []
    assert [e.record.call_id for e in await reader.search(Search(tool="shell_exec"), 2)] == ["c4", "c2"]


WRITING = """
import asyncio, sys
from pathlib import Path
from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.domain.clock import SystemClock

async def main():
    root = Path(sys.argv[1])
    db = await open_sqlite(root / "akili.db")
    log = await open_audit_log(db, root / "audit", b"k" * 32, SystemClock(), Redactor())
    await asyncio.gather(*(
        log.append(AuditRecord(kind=Kind.RUN, result=Result.STARTED, run_id=sys.argv[2], call_id=str(n)))
        for n in range(200)))
    await log.close()
    await db.close()

asyncio.run(main())
"""


async def test_several_processes_write_at_once(place: tuple[str, str, str], db: Database, tmp_path: Path) -> None:
    if place[0] != "sqlite":
        pytest.skip("the processes write SQLite")
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITING, str(tmp_path), f"p{number}")
        for number in range(4)
    ]
    assert [await writer.wait() for writer in writers] == [0, 0, 0, 0]
    report = await verify(db, tmp_path / "audit", KEY)
    assert (report.problems, report.streams, report.records) == ((), 4, 4 * 201)
    for number in range(4):
        entries = await AuditReader(db).search(Search(run_id=f"p{number}"), 1000)
        assert {entry.record.call_id for entry in entries} == {str(n) for n in range(200)}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    where = tmp_path / "disk"
    where.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(where)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


async def test_a_full_disk_refuses_new_records_and_keeps_the_old(small_disk: Path) -> None:
    db = await open_sqlite(small_disk / "akili.db")
    log = await open_audit_log(db, small_disk / "audit", KEY, SystemClock(), Redactor())
    acknowledged: list[str] = []

    async def fill() -> None:
        for number in range(10_000):
            entry = await log.append(record(number, error="x" * 1500))
            acknowledged.append(entry.id)

    with pytest.raises(AuditError):
        await fill()
    with pytest.raises(AuditError):
        await log.append(record(0))
    assert acknowledged
    await log.close()
    await db.close()
    copy = small_disk.parent / "copy"
    shutil.copytree(small_disk, copy)
    again = await open_sqlite(copy / "akili.db")
    mended = await open_audit_log(again, copy / "audit", KEY, SystemClock(), Redactor())
    await mended.append(record(1))
    await mended.close()
    assert (await verify(again, copy / "audit", KEY)).problems == ()
    kept = {entry.id for entry in await AuditReader(again).search(Search(), 20_000)}
    assert set(acknowledged) <= kept
    await again.close()
