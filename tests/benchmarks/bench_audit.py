"""Prints what a durable record costs at 1, 8 and 64 callers, in a small log and in a large one, and how fast a
large log is verified and searched, with how much memory.

``--quick`` takes 100,000 records instead of a million.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.storage.base import Row
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit import store
from akili_cli.core.audit.chain import NO_HASH, ChainKey, encode_details, header, line_of, new_stream_id
from akili_cli.core.audit.linefile import LineFile, prepare_directory, segments_of
from akili_cli.core.audit.log import AuditLog, open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.reader import AuditReader, Search
from akili_cli.core.audit.verify import verify
from akili_cli.domain.clock import SystemClock
from tests.benchmarks.figures import median, own_rss_mib, process, show

KEY = b"k" * 32
BATCH = 2000
TOOLS = ("shell_exec", "read_file", "write_file", "http_request", "db_query", "git_commit")
FEW = 1000


def record(number: int) -> AuditRecord:
    """Half are intents, half their outcomes, of a dozen users and thousands of runs."""
    call, ended = divmod(number, 2)
    said = {
        "user": f"user-{call % 12}",
        "source": ("cli", "api", "cron")[call % 3],
        "correlation_id": f"{call // 5:016x}",
        "run_id": f"123e4567-e89b-12d3-a456-{call // 7:012d}",
        "conversation_id": f"conv-{call // 70}",
        "tool": TOOLS[call % len(TOOLS)],
        "call_id": f"call_{call}",
        "digest": f"{call:064x}",
    }
    if ended:
        outcome = {"duration_s": 0.25 + call % 100 / 1000, "output_sha256": f"{call:064x}", "output_bytes": call % 9999}
        return AuditRecord(kind=Kind.CALL_OUTCOME, result=Result.SUCCESS, **said, **outcome)  # type: ignore[arg-type] # its own fields
    return AuditRecord(
        kind=Kind.CALL_INTENT,
        result=Result.INTENT,
        parameters={"command": f"df -P -x tmpfs -x devtmpfs /srv/volume-{call % 500}"},
        verdict="allow",
        risk="low",
        rule="diagnostics@built-in",
        rules=("diagnostics@built-in",),
        effects={"commands": [["df", "-P"]], "reads": ["/srv"], "reversible": True},
        layers=("landlock", "seccomp", "rlimits"),
        **said,  # type: ignore[arg-type] # its own fields
    )


class _Bulk:
    """One stream, written as the log writes it but in large transactions: same chain, rows, head and files."""

    def __init__(self, directory: Path) -> None:
        at = SystemClock().now()
        stream = new_stream_id(at)
        self.key = ChainKey(KEY)
        self.file = LineFile(directory, stream)
        self.head = self._sealed({
            "stream": stream, "started_at": at, "host": os.uname().nodename, "pid": os.getpid(),
            "count": 0, "head_hash": NO_HASH, "closed_at": None,
        })  # fmt: skip

    async def write(self, db: SqliteDatabase, numbers: range) -> None:
        await db.write(lambda connection: store.insert_stream(connection, self.head))
        for start in range(numbers.start, numbers.stop, BATCH):
            before, rows = self.head, list(self._rows(range(start, min(start + BATCH, numbers.stop))))
            self.head = self._sealed(self.head)
            after = self.head
            await db.write(lambda connection: store.append(connection, rows, before, after))  # noqa: B023 - awaited
            self.file.write(b"".join(line_of(str(row["body"]), str(row["hash"])) for row in rows))
        before, after = self.head, self._sealed({**self.head, "closed_at": SystemClock().now()})
        await db.write(lambda connection: store.append(connection, (), before, after))
        self.file.close()

    def _rows(self, numbers: range) -> Iterator[Row]:
        for number in numbers:
            said = record(number)
            stream, seq = self.head["stream"], int(str(self.head["count"])) + 1
            place = {"stream": stream, "seq": seq, "id": f"{stream}-{seq}", "prev_hash": self.head["head_hash"]}
            row: Row = {**said.columns(), **place, "at": SystemClock().now()}
            row["body"] = f"{header(row)}{encode_details(said.details())}}}"
            row["hash"] = self.key.entry_hash(row["body"].encode())
            self.head = {**self.head, "count": seq, "head_hash": row["hash"]}
            yield row

    def _sealed(self, head: Row) -> Row:
        return {**head, "mac": self.key.head_mac(head)}


async def grow(db: SqliteDatabase, root: Path, rows: int) -> None:
    """Fill the log as months would: half of it by four long streams in many segments, half by short ones."""
    directory = root / "audit"
    prepare_directory(directory)
    sizes = [rows // 8] * 4 + [rows // 80] * 40
    done = 0
    for size in sizes:
        await _Bulk(directory).write(db, range(done, done + size))
        done += size


async def measure(root: Path, rows: int) -> None:
    db = await open_sqlite(root / "akili.db")
    await grow(db, root, FEW)
    few = await _appends(db, root, f"{FEW:,}")
    began = time.perf_counter()
    await grow(db, root, rows)
    segments = sum(len(segments_of(root / "audit", path.stem)) for path in root.glob("audit/*-??????.jsonl"))
    show(f"(writing {rows:,} records in {segments} files took {time.perf_counter() - began:.0f} s)", "")
    many = await _appends(db, root, f"{rows:,}")
    show("append at 1 caller, p50, large log against small one", f"{many / few:.2f} times")
    await db.close()
    _verify_apart(root, rows)
    db = await open_sqlite(root / "akili.db")
    await _search(db, rows)
    await db.close()


async def _appends(db: SqliteDatabase, root: Path, size: str) -> float:
    """Print what callers get and give the median of one caller, in seconds."""
    redactor = Redactor()
    for number in range(5):
        redactor.register(f"registered-value-{number}", f"secret-{number}")
    log = await open_audit_log(db, root / "audit", KEY, SystemClock(), redactor)
    await _append(log, 50)
    half = 0.0
    for callers, each in ((1, 1000), (8, 500), (64, 300)):
        started = time.perf_counter()
        times = await asyncio.gather(*(_append(log, each) for _ in range(callers)))
        spent = time.perf_counter() - started
        all_times = [took for of_one in times for took in of_one]
        half = half or median(all_times)
        figure = f"{callers * each / spent:7,.0f}/s   p50 {median(all_times) * 1000:6.2f} ms"
        show(f"append to {size} records, {callers} callers", figure)
    await log.close()
    return half


async def _append(log: AuditLog, times: int) -> list[float]:
    took = []
    for number in range(times):
        began = time.perf_counter()
        await log.append(record(number))
        took.append(time.perf_counter() - began)
    return took


def _verify_apart(root: Path, rows: int) -> None:
    """In processes of their own, so that the memory is theirs."""
    small = root / "small"
    small.mkdir()
    for place, size, times in ((small, rows // 20, 1), (root, rows, 3)):
        for _ in range(times):
            process([sys.executable, "-m", "tests.benchmarks.bench_audit", "verify", str(place), str(size)])
            said = json.loads((place / "verified.json").read_text())
            figure = f"{said['per_s']:,.0f}/s ({said['cpu_us']:.1f} us of processor each), {said['rss_mib']:.0f} MiB"
            show(f"verify, {said['records']:,} records", figure)


async def _verify_here(root: Path, rows: int) -> None:
    db = await open_sqlite(root / "akili.db")
    if not (root / "audit").exists():
        await grow(db, root, rows)
        await db.close()
        db = await open_sqlite(root / "akili.db")
    started, cpu = time.perf_counter(), time.process_time()
    report = await verify(db, root / "audit", KEY)
    spent, cpu = time.perf_counter() - started, time.process_time() - cpu
    await db.close()
    assert report.ok, report.problems
    said = {"records": report.records, "per_s": report.records / spent, "cpu_us": cpu / report.records * 1e6}
    (root / "verified.json").write_text(json.dumps({**said, "rss_mib": own_rss_mib()}))


async def _search(db: SqliteDatabase, rows: int) -> None:
    reader = AuditReader(db)
    for name, search in {
        "the newest 50 of a tool": Search(tool="shell_exec"),
        "a text that stands in many": Search(text="tmpfs"),
        "a text that stands nowhere": Search(text="no such words"),
        "one correlation id of none": Search(correlation_id="ffff"),
    }.items():
        started = time.perf_counter()
        await reader.search(search, 50)
        show(f"search, {rows:,} records: {name}", f"{(time.perf_counter() - started) * 1000:,.1f} ms")


def main() -> None:
    if sys.argv[1:2] == ["verify"]:
        asyncio.run(_verify_here(Path(sys.argv[2]), int(sys.argv[3])))
        return
    rows = 100_000 if "--quick" in sys.argv[1:] else 1_000_000
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(measure(Path(root), rows))


if __name__ == "__main__":
    main()
