"""Every way to tamper with rows, files and heads that needs no key has to be found."""

from __future__ import annotations

import asyncio
import math
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.linefile import segments_of
from akili_cli.core.audit.log import AuditLog, open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.verify import VerifyReport, verify
from akili_cli.domain.clock import SystemClock

KEY = secrets.token_bytes(32)
COLUMNS = (
    *("stream", "seq", "id", "org_id", "at", "kind", "correlation_id", "run_id", "conversation_id", "user_id"),
    *("source", "tool", "call_id", "result", "body", "prev_hash", "hash"),
)
HEAD_COLUMNS = ("started_at", "host", "pid", "count", "head_hash", "mac", "closed_at")
AT = "stream = ? AND seq = ?"


class Copy:
    """A workspace's audit, open to tampering: raw SQL and raw lines."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "audit"
        self.streams = [str(row[0]) for row in self.sql("SELECT stream FROM audit_streams ORDER BY started_at")]

    def sql(self, text: str, *params: object) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.root / "akili.db")
        try:
            with connection:
                return connection.execute(text, params).fetchall()
        finally:
            connection.close()

    def lines(self, stream: str) -> list[bytes]:
        return (self.directory / f"{stream}.jsonl").read_bytes().splitlines(keepends=True)

    def put_lines(self, stream: str, lines: list[bytes]) -> None:
        (self.directory / f"{stream}.jsonl").write_bytes(b"".join(lines))

    def drop_file(self, stream: str) -> None:
        (self.directory / f"{stream}.jsonl").unlink()

    def check(self) -> VerifyReport:
        async def run() -> VerifyReport:
            db = await open_sqlite(self.root / "akili.db")
            try:
                return await verify(db, self.directory, KEY)
            finally:
                await db.close()

        return asyncio.run(run())


async def _build(root: Path) -> None:
    db = await open_sqlite(root / "akili.db")
    for number in range(3):
        log = await open_audit_log(db, root / "audit", KEY, SystemClock(), Redactor())
        for call in range(5):
            common = {
                "user": "anna",
                "run_id": f"r{number}",
                "call_id": f"c{call}",
                "tool": "shell_exec",
                "source": "cli",
            }
            common |= {"correlation_id": "c0ffee", "conversation_id": "k"}
            await log.append(
                AuditRecord(kind=Kind.CALL_INTENT, result=Result.INTENT, parameters={"command": f"df {call}"}, **common)  # type: ignore[arg-type] # all are texts
            )
            await log.append(AuditRecord(kind=Kind.CALL_OUTCOME, result=Result.SUCCESS, duration_s=0.5, **common))  # type: ignore[arg-type] # all are texts
        await log.close()
    await db.close()


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audit")
    asyncio.run(_build(root))
    return root


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Copy:
    return fresh(original, tmp_path / "copy")


def fresh(original: Path, target: Path) -> Copy:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(original, target)
    return Copy(target)


def test_an_untouched_copy_verifies(copy: Copy) -> None:
    report = copy.check()
    assert report.problems == ()
    assert (report.ok, report.records, report.streams) == (True, 33, 3)


@pytest.mark.parametrize("stream", [0, 1, 2])
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("value", ["x", b"\xff\xfe", None, 7, 0.25, "", '","user":"root'], ids=repr)
def test_any_changed_column_is_found(copy: Copy, column: str, value: object, stream: int) -> None:
    name = copy.streams[stream]
    try:
        copy.sql(f'UPDATE audit_events SET "{column}" = ? WHERE stream = ? AND seq = 4', value, name)
    except sqlite3.IntegrityError:
        return
    assert not copy.check().ok


@pytest.mark.parametrize("column", HEAD_COLUMNS)
@pytest.mark.parametrize("value", ["x", b"\xff", None, 3, 1.5], ids=repr)
def test_any_changed_head_is_found(copy: Copy, column: str, value: object) -> None:
    name = copy.streams[1]
    try:
        copy.sql(f'UPDATE audit_streams SET "{column}" = ? WHERE stream = ?', value, name)
    except sqlite3.IntegrityError:
        return
    assert not copy.check().ok


def test_text_that_is_no_utf8_is_found_and_the_other_streams_are_still_checked(copy: Copy) -> None:
    copy.sql(f"UPDATE audit_events SET user_id = CAST(x'ff' AS TEXT) WHERE {AT}", copy.streams[0], 4)
    delete_row(copy, copy.streams[1], 4)
    assert {problem.stream for problem in copy.check().problems} == set(copy.streams[:2])


def test_a_head_that_is_no_utf8_is_found(copy: Copy) -> None:
    copy.sql("UPDATE audit_streams SET host = CAST(x'ff' AS TEXT) WHERE stream = ?", copy.streams[0])
    assert not copy.check().ok


def delete_row(copy: Copy, stream: str, seq: int) -> None:
    copy.sql("DELETE FROM audit_events WHERE stream = ? AND seq = ?", stream, seq)


def delete_line(copy: Copy, stream: str, seq: int) -> None:
    lines = copy.lines(stream)
    del lines[seq - 1]
    copy.put_lines(stream, lines)


def swap_rows(copy: Copy, stream: str, seq: int) -> None:
    other = seq + 1 if seq < 11 else seq - 1
    for one, two in ((seq, -1), (other, seq), (-1, other)):
        copy.sql(f"UPDATE audit_events SET seq = ?, id = ? WHERE {AT}", two, f"{stream}-{two}", stream, one)


def swap_lines(copy: Copy, stream: str, seq: int) -> None:
    lines = copy.lines(stream)
    other = seq - 2 if seq > 1 else 1
    lines[seq - 1], lines[other] = lines[other], lines[seq - 1]
    copy.put_lines(stream, lines)


def repeat_row(copy: Copy, stream: str, seq: int) -> None:
    columns = [name for name in COLUMNS if name not in {"seq", "id"}]
    names = ", ".join(f'"{name}"' for name in columns)
    copy.sql(
        f"INSERT INTO audit_events (seq, id, {names}) SELECT 12, ?, {names} FROM audit_events WHERE {AT}",
        f"{stream}-12", stream, seq,
    )  # fmt: skip


def repeat_line(copy: Copy, stream: str, seq: int) -> None:
    lines = copy.lines(stream)
    lines.insert(seq, lines[seq - 1])
    copy.put_lines(stream, lines)


def cut_rows(copy: Copy, stream: str, seq: int) -> None:
    copy.sql("DELETE FROM audit_events WHERE stream = ? AND seq >= ?", stream, seq)


def cut_lines(copy: Copy, stream: str, seq: int) -> None:
    copy.put_lines(stream, copy.lines(stream)[: seq - 1])


def forge_row(copy: Copy, stream: str, seq: int) -> None:
    evil = "replace(replace(body, 'anna', 'evil'), '\"at\":1', '\"at\":2')"
    copy.sql(f"UPDATE audit_events SET body = {evil}, user_id = 'evil' WHERE {AT}", stream, seq)


def forge_line(copy: Copy, stream: str, seq: int) -> None:
    lines = copy.lines(stream)
    lines[seq - 1] = lines[seq - 1].replace(b'"at":1', b'"at":2')
    copy.put_lines(stream, lines)


def transplant_row(copy: Copy, stream: str, seq: int) -> None:
    other = next(name for name in copy.streams if name != stream)
    copy.sql(
        "UPDATE audit_events SET (body, hash, prev_hash) = "
        "(SELECT body, hash, prev_hash FROM audit_events WHERE stream = ? AND seq = ?) WHERE stream = ? AND seq = ?",
        other, seq, stream, seq,
    )  # fmt: skip


def transplant_line(copy: Copy, stream: str, seq: int) -> None:
    other = next(name for name in copy.streams if name != stream)
    lines = copy.lines(stream)
    lines[seq - 1] = copy.lines(other)[seq - 1]
    copy.put_lines(stream, lines)


Tamper = Callable[[Copy, str, int], None]
TAMPERING: dict[str, tuple[Tamper, Tamper]] = {
    "delete": (delete_row, delete_line),
    "swap": (swap_rows, swap_lines),
    "repeat": (repeat_row, repeat_line),
    "cut": (cut_rows, cut_lines),
    "forge": (forge_row, forge_line),
    "transplant": (transplant_row, transplant_line),
}


@pytest.mark.parametrize("where", ["rows", "file", "both"])
@pytest.mark.parametrize("kind", TAMPERING)
@pytest.mark.parametrize(("stream", "seq"), [(0, 1), (0, 6), (1, 11), (2, 1), (2, 11), (2, 7)])
def test_tampering_is_found(copy: Copy, kind: str, where: str, stream: int, seq: int) -> None:
    rows, lines = TAMPERING[kind]
    name = copy.streams[stream]
    if where != "file":
        rows(copy, name, seq)
    if where != "rows":
        lines(copy, name, seq)
    report = copy.check()
    assert not report.ok
    assert any(problem.stream == name for problem in report.problems)


@pytest.mark.parametrize("with_head", [False, True], ids=["head kept", "head too"])
@pytest.mark.parametrize("where", ["rows", "file", "both"])
@pytest.mark.parametrize("stream", [0, 1])
def test_a_deleted_stream_is_found(copy: Copy, stream: int, where: str, with_head: bool) -> None:
    name = copy.streams[stream]
    if where != "file":
        copy.sql("DELETE FROM audit_events WHERE stream = ?", name)
    if where != "rows":
        copy.drop_file(name)
    if with_head:
        copy.sql("DELETE FROM audit_streams WHERE stream = ?", name)
    assert any(problem.stream == name for problem in copy.check().problems)


def test_a_stream_put_back_to_an_older_genuine_state_is_found_by_a_later_anchor(original: Path, tmp_path: Path) -> None:
    async def run() -> VerifyReport:
        db = await open_sqlite(tmp_path / "akili.db")
        record = AuditRecord(kind=Kind.RUN, result=Result.STARTED)
        log = await open_audit_log(db, tmp_path / "audit", KEY, SystemClock(), Redactor())
        await log.append(record)
        copy, name = Copy(tmp_path), log.stream
        old_head = copy.sql("SELECT count, head_hash, mac FROM audit_streams WHERE stream = ?", name)[0]
        await log.append(record)
        later = await open_audit_log(db, tmp_path / "audit", KEY, SystemClock(), Redactor())
        await log.close()
        await later.close()
        put_back = "UPDATE audit_streams SET count = ?, head_hash = ?, mac = ?, closed_at = NULL WHERE stream = ?"
        copy.sql(put_back, *old_head, name)
        cut_rows(copy, name, 3)
        cut_lines(copy, name, 3)
        report = await verify(db, tmp_path / "audit", KEY)
        await db.close()
        return report

    report = asyncio.run(run())
    assert [problem.what for problem in report.problems] == ["a later stream saw 3 entries of it: it ends at 2"]


@pytest.mark.parametrize("name", ["x", "../evil", "20260101T000000Z-1-abcdef"])
def test_a_foreign_file_is_found(copy: Copy, name: str) -> None:
    (copy.directory / f"{name.replace('/', '-')}.jsonl").write_text("{}\n")
    assert not copy.check().ok


def test_a_link_or_a_pipe_in_place_of_a_file_is_found(copy: Copy) -> None:
    import os

    name = copy.streams[1]
    path = copy.directory / f"{name}.jsonl"
    moved = copy.root / "moved"
    path.rename(moved)
    path.symlink_to(moved)
    assert not copy.check().ok
    path.unlink()
    os.mkfifo(path)
    assert not copy.check().ok


def test_another_key_verifies_nothing(copy: Copy) -> None:
    async def run() -> VerifyReport:
        db = await open_sqlite(copy.root / "akili.db")
        report = await verify(db, copy.directory, secrets.token_bytes(32))
        await db.close()
        return report

    assert not asyncio.run(run()).ok


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_changed_byte_of_any_line_is_found(original: Path, tmp_path: Path, data: st.DataObject) -> None:
    copy = fresh(original, tmp_path / "bytes")
    path = copy.directory / f"{data.draw(st.sampled_from(copy.streams))}.jsonl"
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert not copy.check().ok


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_changed_character_of_any_row_is_found(original: Path, tmp_path: Path, data: st.DataObject) -> None:
    copy = fresh(original, tmp_path / "characters")
    name = data.draw(st.sampled_from(copy.streams))
    seq = data.draw(st.integers(1, 11))
    column = data.draw(st.sampled_from(["body", "hash", "prev_hash", "id", "user_id", "tool", "kind", "result"]))
    old = str(copy.sql(f"SELECT {column} FROM audit_events WHERE stream = ? AND seq = ?", name, seq)[0][0])
    at = data.draw(st.integers(0, len(old)))
    new = (
        old[:at]
        + data.draw(st.characters(codec="utf-8", exclude_characters="\0"))
        + old[at + data.draw(st.integers(0, 1)) :]
    )
    if new != old:
        copy.sql(f"UPDATE audit_events SET {column} = ? WHERE stream = ? AND seq = ?", new, name, seq)
        assert not copy.check().ok


async def _build_in_segments(root: Path) -> AuditLog:
    db = await open_sqlite(root / "akili.db")
    log = AuditLog(db, root / "audit", KEY, SystemClock(), Redactor(), "default", segment_bytes=2000)
    await log.open()
    for number in range(20):
        await log.append(AuditRecord(kind=Kind.RUN, result=Result.STARTED, run_id=f"r{number}"))
    await log.close()
    await db.close()
    return log


@pytest.mark.parametrize("change", ["none", "drop first", "drop middle", "drop last", "swap", "cut middle", "rename"])
def test_the_chain_goes_on_across_segments(change: str, tmp_path: Path) -> None:
    stream = asyncio.run(_build_in_segments(tmp_path)).stream
    paths = segments_of(tmp_path / "audit", stream)
    assert len(paths) > 3
    if change.startswith("drop"):
        paths[{"first": 0, "middle": 1, "last": -1}[change.split()[1]]].unlink()
    elif change == "swap":
        one, two = paths[1].read_bytes(), paths[2].read_bytes()
        paths[1].write_bytes(two)
        paths[2].write_bytes(one)
    elif change == "cut middle":
        paths[1].write_bytes(paths[1].read_bytes()[:-3])
    elif change == "rename":
        paths[-1].rename(paths[-1].with_name(f"{stream}.99.jsonl"))
    report = Copy(tmp_path).check()
    assert report.ok is (change == "none"), report


@pytest.mark.parametrize("seq", [1, 2, 11])
@pytest.mark.parametrize("column", ["prev_hash", "hash"])
@pytest.mark.parametrize("add", ["0", "1", " "])
def test_a_hash_that_was_made_longer_is_found(original: Path, tmp_path: Path, seq: int, column: str, add: str) -> None:
    copy = fresh(original, tmp_path / "longer")
    sql = f"UPDATE audit_events SET {column} = {column} || ? WHERE stream = ? AND seq = ?"
    copy.sql(sql, add, copy.streams[0], seq)
    assert not copy.check().ok


@pytest.mark.parametrize("seq", [1, 2, 11])
@pytest.mark.parametrize("chars", [1, 32, 64])
def test_characters_moved_from_one_column_to_the_next_are_found(
    original: Path, tmp_path: Path, seq: int, chars: int
) -> None:
    copy = fresh(original, tmp_path / "moved")
    kept = 64 - chars
    sql = f"UPDATE audit_events SET hash = substr(hash, 1, {kept}), prev_hash = substr(hash, {kept + 1}) || prev_hash"
    copy.sql(f"{sql} WHERE {AT}", copy.streams[0], seq)
    assert not copy.check().ok


@pytest.mark.parametrize("steps", [-1, 1])
def test_a_time_that_was_moved_by_the_smallest_step_is_found(original: Path, tmp_path: Path, steps: int) -> None:
    copy = fresh(original, tmp_path / "time")
    for stream in copy.streams[:2]:
        for seq in range(1, 12):
            (at,) = copy.sql(f"SELECT at FROM audit_events WHERE {AT}", stream, seq)[0]
            assert isinstance(at, float)
            copy.sql(f"UPDATE audit_events SET at = ? WHERE {AT}", math.nextafter(at, steps * math.inf), stream, seq)
            assert not copy.check().ok
            copy.sql(f"UPDATE audit_events SET at = ? WHERE {AT}", at, stream, seq)
    assert copy.check().ok


def test_one_change_in_the_middle_of_many_entries_is_the_only_problem(tmp_path: Path) -> None:
    async def build() -> str:
        db = await open_sqlite(tmp_path / "akili.db")
        log = await open_audit_log(db, tmp_path / "audit", KEY, SystemClock(), Redactor())
        await log.append_all([AuditRecord(kind=Kind.RUN, result=Result.STARTED)] * 1500)
        await log.close()
        await db.close()
        return log.stream

    stream = asyncio.run(build())
    copy = Copy(tmp_path)
    assert copy.check().ok
    copy.sql(f"UPDATE audit_events SET user_id = 'evil' WHERE {AT}", stream, 777)
    report = copy.check()
    assert [(problem.stream, problem.seq) for problem in report.problems] == [(stream, 777)]
    assert report.records == 1501
