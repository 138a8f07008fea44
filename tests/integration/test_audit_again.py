"""A database that goes away and comes back under a process that stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.postgres import open_postgres
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.verify import verify
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.errors import AkiliError, AuditError
from tests.fakes.postgres_server import own_server

pytestmark = pytest.mark.timeout(120)


def record(number: int) -> AuditRecord:
    return AuditRecord(kind=Kind.RUN, result=Result.STARTED, user="ann", tool=f"t{number}")


async def test_records_go_on_in_another_stream_once_the_database_is_back(tmp_path: Path) -> None:
    clock = SystemClock()
    with own_server() as server:
        db = await open_postgres(server.get_uri(), max_open=3, max_idle=1, lifetime_s=600)
        log = await open_audit_log(db, tmp_path / "audit", b"k" * 32, clock, Redactor(), "default")
        await log.append(record(1))
        first = log.stream
        server.stop()
        with pytest.raises(AuditError):
            await log.append(record(2))
        with pytest.raises(AuditError):
            await log.append(record(3))
        server.start()
        await clock.sleep(1.1)
        for _ in range(20):
            try:
                entry = await log.append(record(4))
                break
            except AkiliError:
                await clock.sleep(0.5)
        assert log.stream != first
        assert entry.record.tool == "t4"
        await log.append(record(5))
        report = await verify(db, tmp_path / "audit", b"k" * 32, org="default")
        assert report.problems == ()
        rows = await db.read(lambda c: c.execute("SELECT tool FROM audit_events WHERE tool LIKE 't%' ORDER BY at"))
        assert [row["tool"] for row in rows] == ["t1", "t4", "t5"]
        await log.close()
        await db.close()
