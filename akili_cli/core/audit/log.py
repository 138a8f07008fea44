"""The audit log: a record is redacted, numbered, chained and on the disk, or the caller gets an error."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from contextvars import Context
from pathlib import Path

from akili_cli.adapters.storage.base import Connection, Database, Row
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit import linefile, recovery, store
from akili_cli.core.audit.chain import (
    NO_HASH,
    STREAM_ID,
    ChainKey,
    header,
    line_of,
    load_or_create_key,
    new_stream_id,
)
from akili_cli.core.audit.draft import Draft, Drafter, draft_of
from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result
from akili_cli.core.audit.observers import Observer, tell
from akili_cli.core.audit.waiting import Guard, Waiting
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import AkiliError, AuditError, StorageError
from akili_cli.domain.ports import NO_TRACER, Tracer

__all__ = ["AuditLog", "load_or_create_key", "open_audit_log"]

RESTATED_STREAMS = 8
AGAIN_S = 1.0


class AuditLog:
    """This process's stream. ``open_audit_log`` makes one; many tasks may append at once.

    Promise: when ``append`` returns, the entry's row and the stream's head are on the disk and its line is in
    the file. When either could not be written, that append raises ``AuditError``, and every later one until the log is
    opened again as another stream, so the chain never forks and nothing runs unrecorded. It opens itself again when it
    was the database that failed and is back; a file that is gone, damaged or cannot grow stays a refusal.

    ``observer`` sees every entry of this process once it is durable; ``failures`` counts what could not be recorded.
    """

    def __init__(
        self,
        db: Database,
        directory: Path,
        key: bytes,
        clock: Clock,
        redactor: Redactor,
        org: str,
        *,
        segment_bytes: int = linefile.SEGMENT_BYTES,
    ) -> None:
        """Keep the parts; nothing is opened yet."""
        self._segment_bytes = segment_bytes
        self._db = db
        self._directory = directory
        self._key = ChainKey(key)
        self._clock = clock
        self._drafter = Drafter(redactor, org)
        self._org = org
        self._head: Row = {}
        self._file: linefile.LineFile | None = None
        self._failed: AuditError | None = AuditError("the audit log is not open")
        self._waiting: list[Waiting] = []
        self._flusher: asyncio.Task[None] | None = None
        self._lost_database = False
        self._opening = asyncio.Lock()
        self._again_at = 0.0
        self.interrupted = 0
        self.failures = 0
        self.observer: Observer | None = None
        self.tracer: Tracer = NO_TRACER

    @property
    def stream(self) -> str:
        """The id of the stream this log writes."""
        return str(self._head["stream"])

    def check(self) -> None:
        """Raise ``AuditError`` when a record would be refused now; nothing is written."""
        if self._failed is not None:
            raise AuditError(str(self._failed), hint=self._failed.hint)
        if self._file is not None:
            try:
                self._file.require_room()
            except OSError as error:
                raise linefile.not_written(error) from error

    async def append(self, record: AuditRecord, *, guard: Guard | None = None) -> AuditEntry:
        """Make one record durable; raises ``AuditError``.

        ``guard`` looks, in the transaction that would write the record, whether it still may be: what it raises (an
        ``AkiliError``) is raised here, and nothing is written. What it changes is kept together with the record, so it
        must change nothing when it raises.
        """
        return (await self._append((record,), guard))[0]

    async def append_all(self, records: Sequence[AuditRecord]) -> list[AuditEntry]:
        """Make several records durable at once, in this order; raises ``AuditError``."""
        return await self._append(records, None)

    async def _append(self, records: Sequence[AuditRecord], guard: Guard | None) -> list[AuditEntry]:
        drafts = [await self._drafter.draft(record) for record in records]
        await self._begin_again()
        if self._failed is not None:
            self.failures += len(drafts)
            self.check()
        if not drafts:
            return []
        waiting = Waiting(drafts, guard, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), context=Context())  # it writes for many, not for one
        with self.tracer.span("audit.append", {"akili.records": len(drafts)}):
            return await waiting.future

    async def close(self) -> None:
        """Write what is waiting, end the intents without an outcome and the stream; later appends fail."""
        if self._flusher is not None:
            await asyncio.wait((self._flusher,))
        if self._failed is None:
            await self.append_all(await self._db.read(lambda c: recovery.interrupted(c, self._key, (self.stream,))))
        if self._failed is not None:
            return
        self._failed = AuditError("the audit log is closed")
        before, after = self._head, self._sealed({**self._head, "closed_at": float(self._clock.now())})
        await self._db.write(lambda connection: store.append(connection, (), before, after), durable=True)
        self._close_file()

    async def open(self) -> None:
        """Mend what crashed processes left, start a stream and anchor the others in it; raises ``AuditError``.

        Intents that those processes left without an outcome get one, ``interrupted`` counts them.
        """
        linefile.prepare_directory(self._directory)
        try:
            mended, damaged = await self._db.read(self._mend_dead_streams)
            self._start_stream()
            rows, entries = await self._db.write(lambda c: self._begin(c, mended, damaged), durable=True)
            self._write_lines(rows)
        except (AkiliError, OSError) as error:
            self._abandon_file()
            raise linefile.not_written(error) from error
        self._failed = None
        tell(self.observer, entries)

    async def _begin_again(self) -> None:
        """After a database that was lost and is back, go on in a new stream; what is damaged stays refused.

        The old stream is mended and closed as that of a killed process is; calls under way count as interrupted there
        and get their outcome in the new one.
        """
        if self._failed is None or not self._lost_database:
            return
        async with self._opening:
            if self._clock.monotonic() < self._again_at:  # somebody else has just tried
                return
            self._again_at = self._clock.monotonic() + AGAIN_S
            with contextlib.suppress(AuditError):
                await self.open()

    async def _flush(self) -> None:
        """Write group after group until nobody waits; one transaction per group, one group at a time."""
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                await self._write_group(group)
        finally:
            self._flusher = None
            if self._waiting:
                self._fail(AuditError("the audit writer was stopped"), self._waiting)
                self._waiting = []

    async def _write_group(self, group: list[Waiting]) -> None:
        if self._failed is not None:
            self._fail(self._failed, group)
            return
        done = False
        try:
            if self._file is not None:
                self._file.require_name()
            rows, self._head = await self._db.write(lambda connection: self._write(connection, group), durable=True)
            self._write_lines(rows)
            done = True
        except (AkiliError, OSError) as error:
            self._lost_database = isinstance(error, StorageError)
            self._fail(linefile.not_written(error), group)
        finally:
            if not done and self._failed is None:
                self._fail(AuditError("the audit writer was stopped"), group)
        if done:
            for waiting in group:
                tell(self.observer, waiting.entries)
                waiting.answer()

    def _write(self, connection: Connection, group: list[Waiting]) -> tuple[list[Row], Row]:
        """Number, chain and write what its guard lets pass, in the writer's thread; give the rows and the new head."""
        rows: list[Row] = []
        head = self._head
        for waiting in group:
            if waiting.passes(connection):
                for draft in waiting.drafts:
                    row, head = self._link(draft, head)
                    rows.append(row)
                    waiting.entries.append(_entry(row, draft.record))
        if rows:
            head = self._sealed(head)
            store.append(connection, rows, self._head, head)
        return rows, head

    def _fail(self, error: AuditError, group: list[Waiting]) -> None:
        self._failed = error
        self._abandon_file()
        for waiting in group:
            self.failures += len(waiting.drafts)
            if not waiting.future.done():
                waiting.future.set_exception(AuditError(str(error), hint=error.hint))

    def _link(self, draft: Draft, head: Row) -> tuple[Row, Row]:
        """Give the record the number after the head's and chain it to the one before; give its row and the new head."""
        seq = _integer(head["count"]) + 1
        row: Row = {
            **draft.columns,
            "stream": head["stream"],
            "seq": seq,
            "id": f"{head['stream']}-{seq}",
            "at": float(self._clock.now()),
            "prev_hash": head["head_hash"],
        }
        body = f"{header(row)}{draft.details}}}"
        row["body"] = body
        row["hash"] = self._key.entry_hash(body.encode())
        return row, {**head, "count": seq, "head_hash": row["hash"]}

    def _sealed(self, head: Row) -> Row:
        return {**head, "mac": self._key.head_mac(head)}

    def _write_lines(self, rows: Sequence[Row]) -> None:
        if self._file is None:
            raise AuditError("the audit file is not open")
        self._file.write(b"".join(line_of(str(row["body"]), str(row["hash"])) for row in rows))

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                raise linefile.not_written(error) from error

    def _abandon_file(self) -> None:
        if self._file is not None:
            self._file.abandon()
            self._file = None

    def _start_stream(self) -> None:
        at = float(self._clock.now())
        stream = new_stream_id(at)
        self._file = linefile.LineFile(self._directory, stream, segment_bytes=self._segment_bytes)
        self._head = self._sealed(
            {
                "stream": stream,
                "started_at": at,
                "host": os.uname().nodename,
                "pid": os.getpid(),
                "count": 0,
                "head_hash": NO_HASH,
                "closed_at": None,
            }
        )

    def _mend_dead_streams(self, connection: Connection) -> tuple[dict[str, int], dict[str, str]]:
        """Fill in the files of streams whose writer is gone; give lines added, and what could not be mended."""
        mended: dict[str, int] = {}
        damaged: dict[str, str] = {}
        for head in store.open_heads(connection, self._org):
            stream = str(head["stream"])
            path = linefile.file_of(self._directory, stream)
            if not STREAM_ID.fullmatch(stream) or (self._db.dialect != "sqlite" and not path.exists()):
                continue
            try:
                added = linefile.mend(path, _lines_after(connection, stream))
            except AuditError as error:
                damaged[stream] = str(error)
            else:
                if added is not None:
                    mended[stream] = added
        return mended, damaged

    def _begin(
        self, connection: Connection, mended: dict[str, int], damaged: dict[str, str]
    ) -> tuple[list[Row], list[AuditEntry]]:
        """Start the stream, in one transaction.

        Its first record states every stream that changed since the last anchors. Streams whose writers are gone are
        closed, and their open intents ended here; a process that tries the same closes none of them.
        """
        stated, suspect, closed = self._state_others(connection, mended)
        restored = {stream: count for stream, count in mended.items() if count}
        found = {"suspect": suspect, "restored_lines": restored, "damaged": damaged}
        parameters = {"streams": stated, **{name: value for name, value in found.items() if value}}
        left = recovery.interrupted(connection, self._key, closed)
        self.interrupted = len(left)
        store.insert_stream(connection, self._head)
        before, rows, entries = self._head, list[Row](), list[AuditEntry]()
        started = AuditRecord(kind=Kind.AUDIT, result=Result.STARTED, org=self._org, parameters=parameters)
        for record in (started, *left):
            row, self._head = self._link(draft_of(record), self._head)
            rows.append(row)
            entries.append(_entry(row, record))
        self._head = self._sealed(self._head)
        store.append(connection, rows, before, self._head)
        return rows, entries

    def _state_others(
        self, connection: Connection, mended: dict[str, int]
    ) -> tuple[dict[str, object], list[str], list[str]]:
        """Close the streams that were mended; give where all streams stand, those not as written, those closed."""
        stated: dict[str, object] = {}
        suspect: list[str] = []
        closed: list[str] = []
        for head in store.unsettled_heads(connection, self._org, RESTATED_STREAMS):
            stream = str(head["stream"])
            if not self._key.head_mac_fits(head):
                suspect.append(stream)
                continue
            here = linefile.file_of(self._directory, stream).exists() if STREAM_ID.fullmatch(stream) else False
            stated[stream] = [head["count"], head["head_hash"], int(here)]
            if stream in mended and head["closed_at"] is None:
                ended = self._sealed({**head, "closed_at": float(self._clock.now())})
                if store.move_head(connection, head, ended):
                    closed.append(stream)
        return stated, suspect, closed


async def open_audit_log(
    db: Database, directory: Path, key: bytes, clock: Clock, redactor: Redactor, org: str = "default"
) -> AuditLog:
    """Open a stream of this process's own in the log; raises ``AuditError``."""
    log = AuditLog(db, directory, key, clock, redactor, org)
    await log.open()
    return log


def _lines_after(connection: Connection, stream: str) -> linefile.LinesAfter:
    def after(seq: int, limit: int) -> list[tuple[int, str, str]]:
        rows = store.lines_after(connection, stream, seq, limit)
        return [(_integer(row["seq"]), str(row["body"]), str(row["hash"])) for row in rows]

    return after


def _entry(row: Row, record: AuditRecord) -> AuditEntry:
    return AuditEntry(
        id=str(row["id"]),
        stream=str(row["stream"]),
        seq=_integer(row["seq"]),
        at=float(str(row["at"])),
        prev_hash=str(row["prev_hash"]),
        hash=str(row["hash"]),
        record=record,
    )


def _integer(value: object) -> int:
    if isinstance(value, int):
        return value
    raise AuditError(f"the audit table holds {value!r} where a number belongs", hint="run 'akili audit verify'")
