from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit import standalone
from akili_cli.core.audit.export import Exported, export
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.audit.verify import verify
from akili_cli.domain.errors import AkiliError, ConflictError, NotFoundError, UsageError
from tests.fakes.clock import FakeClock

KEY = b"k" * 32


async def bundle(
    db: SqliteDatabase, root: Path, name: str, since: float | None = None, until: float | None = None
) -> Exported:
    clock = FakeClock()
    for _ in range(2):
        log = await open_audit_log(db, root / "audit", KEY, clock, Redactor())
        for _ in range(5):
            clock.move(10)
            await log.append(AuditRecord(kind=Kind.RUN, result=Result.STARTED, user="anna"))
        await log.close()
    report = await verify(db, root / "audit", KEY)
    start = FakeClock().now()
    bounds = {"since": None if since is None else start + since, "until": None if until is None else start + until}
    return await export(db, KEY, clock, root / name, report, **bounds)


@pytest.mark.parametrize("name", ["out", "out.tar.gz", "out.tgz"])
async def test_a_bundle_proves_itself_by_key_or_digest(name: str, db: SqliteDatabase, tmp_path: Path) -> None:
    done = await bundle(db, tmp_path, name)
    assert (done.records, done.streams) == (12, 2)
    files = standalone.read_bundle(done.bundle)
    assert standalone.VERIFIER in files
    key = bytes.fromhex(done.key_file.read_text())
    assert key != KEY
    for given in ((key, None), (None, done.manifest_sha256), (key, done.manifest_sha256.upper() + "\n")):
        assert standalone.check(files, *given)["records"] == 12
    for wrong in ((b"x" * 32, None), (None, "0" * 64)):
        with pytest.raises(standalone.BrokenError):
            standalone.check(files, *wrong)
    modes = {path.stat().st_mode & 0o077 for path in (done.key_file, *tmp_path.rglob("out*")) if path.is_file()}
    assert modes == {0}


async def test_a_time_takes_each_streams_part_without_gaps(db: SqliteDatabase, tmp_path: Path) -> None:
    done = await bundle(db, tmp_path, "out", since=15, until=75)
    assert (done.records, done.streams) == (4 + 3, 2)
    files = standalone.read_bundle(done.bundle)
    assert standalone.check(files, None, done.manifest_sha256)["records"] == 7


async def test_two_bundles_have_different_keys(db: SqliteDatabase, tmp_path: Path) -> None:
    one, two = await bundle(db, tmp_path, "one"), await bundle(db, tmp_path, "two")
    assert one.key_file.read_text() != two.key_file.read_text()


async def test_what_was_broken_is_exported_as_broken(db: SqliteDatabase, tmp_path: Path) -> None:
    await bundle(db, tmp_path, "one")
    await db.write(lambda c: c.execute("UPDATE audit_events SET user_id = 'eve' WHERE seq = 3"))
    done = await bundle(db, tmp_path, "two")
    manifest = standalone.check(standalone.read_bundle(done.bundle), None, done.manifest_sha256)
    assert manifest["verified"]["ok"] is False  # type: ignore[index] # an object


@pytest.mark.parametrize(
    ("name", "since", "error"),
    [("audit", None, ConflictError), ("no/where", None, UsageError), ("out", 99999.0, NotFoundError)],
)
async def test_nothing_is_written_over_or_nowhere(
    name: str, since: float | None, error: type[AkiliError], db: SqliteDatabase, tmp_path: Path
) -> None:
    with pytest.raises(error):
        await bundle(db, tmp_path, name, since=since)
    assert not list(tmp_path.glob("*.key"))
