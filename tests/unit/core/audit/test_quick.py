from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.adapters.storage.base import Connection
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.chain import NO_HASH, ChainKey
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.quick import PAGE_ROWS, Page, PageReader, checked
from tests.fakes.clock import FakeClock

KEY = ChainKey(b"k" * 32)


async def written(db: SqliteDatabase, tmp_path: Path, count: int) -> str:
    log = await open_audit_log(db, tmp_path / "audit", b"k" * 32, FakeClock(), Redactor())
    await log.append_all([AuditRecord(kind=Kind.RUN, result=Result.STARTED, user="anna")] * count)
    await log.close()
    return log.stream


async def pages_of(db: SqliteDatabase, stream: str) -> list[Page | None]:
    def read(connection: Connection) -> list[Page | None]:
        found: list[Page | None] = []
        count, last = 0, NO_HASH
        with ThreadPoolExecutor(1) as pool:
            pages = PageReader(connection, stream, pool=pool)
            while text := pages.after(count):
                page = checked(text, stream, count, last, KEY)
                found.append(page)
                if page is None:
                    break
                count, last = page.count, page.last_hash
            pages.settle()
        return found

    return await db.read(read)


async def test_pages_are_whole_and_in_order(db: SqliteDatabase, tmp_path: Path) -> None:
    stream = await written(db, tmp_path, PAGE_ROWS + 10)
    pages = await pages_of(db, stream)
    assert [page.count for page in pages if page] == [PAGE_ROWS, PAGE_ROWS + 11]
    lines = b"".join(page.lines for page in pages if page)
    assert lines == (tmp_path / "audit" / f"{stream}.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ("UPDATE audit_events SET user_id = 'bob' WHERE seq = 3", 2),
        ("UPDATE audit_events SET user_id = 'an' || char(10) || 'na' WHERE seq = 3", 0),
        ("UPDATE audit_events SET at = at + 0.001 WHERE seq = 3", 2),
        ("UPDATE audit_events SET at = at + 0.0000003 WHERE seq = 3", 2),
        ("UPDATE audit_events SET at = at - 4294967296 WHERE seq = 3", 2),
        ("UPDATE audit_events SET at = 9e999 WHERE seq = 3", 2),
        ("UPDATE audit_events SET id = 'x' WHERE seq = 3", 2),
        ("UPDATE audit_events SET hash = upper(hash) WHERE seq = 3", 2),
        (
            "UPDATE audit_events SET hash = substr(hash, 1, 9), prev_hash = substr(hash, 10) || prev_hash WHERE seq=3",
            2,
        ),
        ("UPDATE audit_events SET prev_hash = prev_hash || ' ' WHERE seq = 3", 2),
        ("UPDATE audit_events SET user_id = NULL WHERE seq = 3", 2),
        ("UPDATE audit_events SET seq = 99, id = stream || '-99' WHERE seq = 11", 10),
        ("""UPDATE audit_events SET body = replace(body, '"at":1', '"at":x') WHERE seq = 3""", 2),
        ("""UPDATE audit_events SET body = replace(body, '"at":1', '"at":1e999') WHERE seq = 3""", 2),
        ("UPDATE audit_events SET body = '' WHERE seq = 3", 2),
        ("UPDATE audit_events SET body = body || char(10) WHERE seq = 3", 0),
        ("DELETE FROM audit_events WHERE seq = 3", 2),
        ("DELETE FROM audit_events WHERE seq = 1", 0),
    ],
)
async def test_a_page_is_taken_up_to_what_is_wrong(change: str, right: int, db: SqliteDatabase, tmp_path: Path) -> None:
    stream = await written(db, tmp_path, 10)
    await db.write(lambda connection: connection.execute(change))
    pages = await pages_of(db, stream)
    assert [page.count for page in pages if page] == ([right] if right else [])
    assert pages[-1] is None


@pytest.mark.parametrize("at", [1.5, 2.0**30 - 0.75, 2.0**30, 1795544123.5381744, 2.0**31 + 0.1, 2.0**33])
async def test_a_time_is_compared_exactly_or_left_to_others(at: float, db: SqliteDatabase, tmp_path: Path) -> None:
    clock = FakeClock()
    clock.move(at - clock.now())
    log = await open_audit_log(db, tmp_path / "audit", b"k" * 32, clock, Redactor())
    await log.close()
    (page,) = await pages_of(db, log.stream)
    assert (page is not None) == (at >= 2.0**30)
    assert page is None or page.last_at == at
    nearest = math.nextafter(at, math.inf)
    await db.write(lambda connection: connection.execute("UPDATE audit_events SET at = :at", {"at": nearest}))
    assert await pages_of(db, log.stream) == [None]
