"""Exports records as a bundle that somebody else can verify without this workspace and its key.

The bundle holds the lines as they were written, a manifest with counts and digests, its keyed hash, and the verifier.
The bundle key is derived one way from the chain's key for this one export: it proves nothing about other records,
and whoever holds it could forge a bundle of that id, so the manifest's digest should be kept apart.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from akili_cli.adapters.files.atomic import write_private
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.audit import standalone, store
from akili_cli.core.audit.chain import ChainKey, line_of
from akili_cli.core.audit.verify import VerifyReport
from akili_cli.domain.clock import Clock, iso
from akili_cli.domain.errors import AuditError, ConflictError, NotFoundError, UsageError
from akili_cli.domain.ids import new_uuid

_PAGE = 4000
_LISTED_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the bundle, its key's file, and the manifest's digest to keep apart."""

    bundle: Path
    key_file: Path
    manifest_sha256: str
    records: int
    streams: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A stream's records from ``first`` to ``last``."""

    stream: str
    first: int
    last: int
    before: str
    end: str
    content: bytes


async def export(
    db: Database,
    key: bytes,
    clock: Clock,
    output: Path,
    verified: VerifyReport,
    *,
    org: str | None = None,
    since: float | None = None,
    until: float | None = None,
) -> Exported:
    """Write the bundle: a ``.tar.gz``, or a new directory; beside it ``<output>.key`` with the bundle key.

    Of each stream (of the organisation) everything between its first and its last record of the time is taken, so
    that it has no gap.
    Raises ``ConflictError`` when something is there already, ``NotFoundError`` when there is no record,
    ``WorkspaceError`` or ``AuditError`` when it cannot be written.
    """
    key_file = output.with_name(f"{output.name}.key")
    await asyncio.to_thread(_check_free, output, key_file)
    parts = await db.read(lambda connection: list(_parts(connection, org, since, until)))
    if not parts:
        raise NotFoundError("there is no record of that time; nothing was written")
    bundle_id, chain = new_uuid(), ChainKey(key)
    bundle_key = chain.bundle_key(bundle_id)
    files = {f"records/{part.stream}.jsonl": part.content for part in parts}
    manifest = json.dumps(_manifest(bundle_id, iso(clock.now()), parts, files, verified), indent=1).encode()
    files |= {
        standalone.MANIFEST: manifest,
        f"{standalone.MANIFEST}.mac": standalone.manifest_mac(bundle_key, manifest).encode() + b"\n",
    }
    await asyncio.to_thread(_write, output, files, int(clock.now()))
    await asyncio.to_thread(write_private, key_file, bundle_key.hex().encode() + b"\n")
    records = sum(part.last - part.first + 1 for part in parts)
    return Exported(output, key_file, hashlib.sha256(manifest).hexdigest(), records, len(parts))


def _check_free(output: Path, key_file: Path) -> None:
    for path in (output, key_file):
        if os.path.lexists(path):
            raise ConflictError(f"{path} exists already", hint="name a new one; nothing was written")
    if not output.parent.is_dir():
        raise UsageError(f"there is no directory {output.parent}")


def _write(output: Path, files: dict[str, bytes], at: int) -> None:
    files = {**files, standalone.VERIFIER: Path(standalone.__file__).read_bytes()}
    if output.name.endswith((".tar.gz", ".tgz")):
        write_private(output, _packed(output.name, files, at))
    else:
        for name, content in files.items():
            write_private(output / name, content)


def _parts(connection: Connection, org: str | None, since: float | None, until: float | None) -> Iterator[_Part]:
    for stream, first, last in store.ranges(connection, org, since, until):
        lines: list[bytes] = []
        before = store.prev_hash_at(connection, stream, first)
        end, seq = before, first - 1
        while seq < last and (rows := store.lines_after(connection, stream, seq, min(_PAGE, last - seq))):
            for row in rows:
                seq, end = int(str(row["seq"])), str(row["hash"])
                lines.append(line_of(str(row["body"]), end))
        if len(lines) != last - first + 1:
            raise AuditError(f"stream {stream} has a gap between {first} and {last}", hint="run 'akili audit verify'")
        yield _Part(stream, first, last, before, end, b"".join(lines))


def _manifest(
    bundle_id: str, at: str, parts: Iterable[_Part], files: dict[str, bytes], verified: VerifyReport
) -> dict[str, object]:
    streams = [
        {
            "stream": part.stream,
            "file": f"records/{part.stream}.jsonl",
            "first": part.first,
            "last": part.last,
            "before": part.before,
            "end": part.end,
        }
        for part in parts
    ]
    problems = [f"{p.stream} {p.seq or ''} {p.what}" for p in verified.problems[:_LISTED_PROBLEMS]]
    return {
        "akili_audit_bundle": 1,
        "id": bundle_id,
        "at": at,
        "host": os.uname().nodename,
        "records": sum(part.last - part.first + 1 for part in parts),
        "verified": {"ok": verified.ok, "records": verified.records, "problems": problems},
        "streams": streams,
        "files": {name: [len(content), hashlib.sha256(content).hexdigest()] for name, content in files.items()},
    }


def _packed(name: str, files: dict[str, bytes], at: int) -> bytes:
    root = name.removesuffix(".tgz").removesuffix(".tar.gz")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for inside, content in files.items():
            member = tarfile.TarInfo(f"{root}/{inside}")
            member.size, member.mode, member.mtime = len(content), 0o600, at
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
