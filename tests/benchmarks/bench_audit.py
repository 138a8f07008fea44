"""Prints what one durable record costs, how many a second many callers get, and how fast a log is verified."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import AuditLog, open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.verify import verify
from akili_cli.domain.clock import SystemClock

CALLERS = 64
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


async def measure(root: Path) -> dict[str, float]:
    db = await open_sqlite(root / "akili.db")
    redactor = Redactor()
    for number in range(5):
        redactor.register(f"registered-value-{number}", f"secret-{number}")
    log = await open_audit_log(db, root / "audit", b"k" * 32, SystemClock(), redactor)
    await _append(log, 50)
    started = time.perf_counter()
    await _append(log, 1000)
    one_ms = (time.perf_counter() - started) / 500 * 1000
    started = time.perf_counter()
    await asyncio.gather(*(_append(log, 300) for _ in range(CALLERS)))
    many = 300 * CALLERS / (time.perf_counter() - started)
    await log.close()
    started = time.perf_counter()
    report = await verify(db, root / "audit", b"k" * 32)
    verified = report.records / (time.perf_counter() - started)
    assert report.ok
    await db.close()
    return {"two records, 1 caller (ms)": one_ms, "appends/s, 64 callers": many, "verified records/s": verified}


async def _append(log: AuditLog, times: int) -> None:
    for _ in range(times):
        await log.append(RECORD)


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        for name, figure in asyncio.run(measure(Path(root))).items():
            sys.stdout.write(f"{name}: {figure:,.2f}\n")


if __name__ == "__main__":
    main()
