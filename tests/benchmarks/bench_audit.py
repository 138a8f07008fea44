"""Prints what a durable record costs at 1, 8 and 64 callers, and how fast a large log is verified and searched.

``--quick`` verifies and searches 100,000 records instead of a million.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import AuditLog, open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.reader import AuditReader, Search
from akili_cli.core.audit.verify import verify
from akili_cli.domain.clock import SystemClock
from tests.benchmarks.figures import show

KEY = b"k" * 32
RECORD = AuditRecord(
    kind=Kind.CALL_INTENT,
    result=Result.INTENT,
    user="anna",
    source="cli",
    correlation_id="c0ffee00c0ffee00",
    run_id="123e4567-e89b-12d3-a456-426614174000",
    tool="shell_exec",
    call_id="call_1",
    parameters={"command": "df -P -x tmpfs -x devtmpfs"},
    digest="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    verdict="allow",
    risk="low",
    rule="diagnostics@built-in",
    rules=("diagnostics@built-in",),
    effects={"commands": [["df", "-P"]], "reversible": True},
    layers=("landlock", "seccomp", "rlimits"),
)


async def measure(root: Path, rows: int) -> None:
    db = await open_sqlite(root / "akili.db")
    redactor = Redactor()
    for number in range(5):
        redactor.register(f"registered-value-{number}", f"secret-{number}")
    log = await open_audit_log(db, root / "audit", KEY, SystemClock(), redactor)
    await _append(log, 50)
    for callers, each in ((1, 1000), (8, 500), (64, 300)):
        started = time.perf_counter()
        await asyncio.gather(*(_append(log, each) for _ in range(callers)))
        spent = time.perf_counter() - started
        show(f"append, {callers} callers", f"{callers * each / spent:,.0f}/s")
        if callers == 1:
            show("append, two durable records at 1 caller", f"{2 * spent / each * 1000:.2f} ms")
    for _ in range(rows // 1000):
        await log.append_all([RECORD] * 1000)
    await log.close()
    await _read(db, root, rows)
    await db.close()


async def _append(log: AuditLog, times: int) -> None:
    for _ in range(times):
        await log.append(RECORD)


async def _read(db: SqliteDatabase, root: Path, rows: int) -> None:
    for _ in range(3):
        started, cpu = time.perf_counter(), time.process_time()
        report = await verify(db, root / "audit", KEY)
        spent, cpu = time.perf_counter() - started, time.process_time() - cpu
        assert report.ok, report.problems
        speed, cost = report.records / spent, cpu / report.records * 1e6
        show(f"verify, {report.records:,} records", f"{speed:,.0f}/s ({cost:.1f} us of processor each)")
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
    rows = 100_000 if "--quick" in sys.argv[1:] else 1_000_000
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(measure(Path(root), rows))


if __name__ == "__main__":
    main()
