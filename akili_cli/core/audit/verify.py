"""Proves that the audit is whole: every row, every line, every stream's head, every anchor.

Found without the key's help: any changed byte of a column or a line, deleted, inserted, swapped or repeated entries,
a tail cut from rows or file, a changed or deleted head row, rows and file that disagree, and a stream deleted
everywhere as long as one later stream (whose anchor states it) is left.

Not found: what somebody does who holds the audit key; the whole workspace put back to an older copy of itself; the
newest streams removed everywhere, with their heads, when no later anchor exists. For those, keep anchors
(``akili audit anchor``) on another machine and verify with them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from akili_cli.adapters.storage.base import Connection, Database, Row
from akili_cli.core.audit import store
from akili_cli.core.audit.anchor import Anchor, digest_of, settled_heads
from akili_cli.core.audit.chain import NO_HASH, STREAM_ID, ChainKey, line_of, split_line
from akili_cli.core.audit.linefile import LineReader, file_of, has_content, is_locked, segments_of
from akili_cli.core.audit.owners import columns_fit, foreign_streams
from akili_cli.core.audit.quick import PAGE_ROWS, PageReader, checked
from akili_cli.domain.clock import SystemClock, iso
from akili_cli.domain.errors import AuditError, StorageError

MAX_PROBLEMS = 1000
MAX_PROBLEMS_PER_STREAM = 20
WRITE_LAG_S = 10.0
_MAX_SEGMENT_DIGITS = 10
_SLOW_ROWS = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was written; ``seq`` is None when it concerns the stream as a whole."""

    stream: str
    seq: int | None
    what: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was checked and what was found; at most 1,000 problems are listed."""

    ok: bool
    records: int
    streams: int
    problems: tuple[Problem, ...]


async def verify(
    db: Database, directory: Path, key: bytes, *, anchors: Sequence[Anchor] = (), org: str | None = None
) -> VerifyReport:
    """Check the audit (with ``org`` that organisation's) in this database and this directory (or copies of both).

    With anchors that were kept elsewhere, also that nothing they state was cut off or put back. Reads page by page
    and changes nothing; other processes may write meanwhile. Raises ``AuditError`` when the directory cannot be
    listed or the key is not a key.
    """
    verification = _Verification(directory, ChainKey(key), anchors, org, local=db.dialect == "sqlite")
    while True:
        try:
            return await db.read(verification.run)
        except StorageError as error:  # somebody put bytes there that are no text; the other streams still count
            if error.retryable:  # the database is gone: that says nothing about the audit
                raise
            if not verification.skip(str(error)):
                return verification.report()


@dataclass(slots=True)
class _Stream:
    """What has been seen of one stream so far."""

    name: str
    count: int = 0
    last_hash: str = NO_HASH
    last_at: float = 0.0
    lagging: int = 0
    found: list[Problem] = field(default_factory=list)

    def problem(self, seq: int | None, what: str) -> None:
        if len(self.found) < MAX_PROBLEMS_PER_STREAM:
            self.found.append(Problem(self.name, seq, what))


class _Verification:
    def __init__(
        self, directory: Path, key: ChainKey, anchors: Sequence[Anchor], org: str | None, *, local: bool
    ) -> None:
        self._kept = anchors
        self._org = org
        self._connection: Connection
        self._pool: ThreadPoolExecutor
        self._directory = directory
        self._key = key
        self._local = local
        self._heads: dict[str, Row] = {}
        self._files: set[str] = set()
        self._segments: dict[str, set[int]] = {}
        self._todo: list[str] | None = None
        self._streams = 0
        self._records = 0
        self._problems: list[Problem] = []
        self._counts: dict[str, tuple[int, str]] = {}
        self._anchored: dict[tuple[str, int], set[str]] = {}
        self._beside: set[str] = set()
        self._no_file: list[str] = []
        self._began_at = SystemClock().now()

    def run(self, connection: Connection) -> VerifyReport:
        """Steps: 1 every stream that rows, heads or files know, 2 what the anchors say about them."""
        self._connection = connection
        if self._todo is None:
            files = self._list_files()
            foreign = foreign_streams(connection, self._org, self._key, files)
            heads = {str(head["stream"]): head for head in store.heads(connection)}
            self._heads = {name: head for name, head in heads.items() if name not in foreign}
            self._files = {
                name for name in files if name in heads or has_content(file_of(self._directory, name))
            } - foreign
            rows = set(map(str, store.stream_names(connection))) - foreign
            self._todo = sorted({*self._heads, *rows, *self._files}, reverse=True)
            self._streams = len(self._todo)
        with ThreadPoolExecutor(1, thread_name_prefix="akili-audit-page") as self._pool:
            while self._todo:
                self._check(self._todo[-1])
                self._todo.pop()
        self._check_anchored()
        self._check_kept()
        self._check_missing_files()
        return self.report()

    def skip(self, reason: str) -> bool:
        """Note that the stream at hand cannot be read; False when it was not a stream that failed."""
        name = self._todo.pop() if self._todo else ""
        self._problems.append(Problem(name, None, f"it cannot be read: {reason}"))
        return bool(name)

    def report(self) -> VerifyReport:
        """Sum up."""
        return VerifyReport(not self._problems, self._records, self._streams, tuple(self._problems[:MAX_PROBLEMS]))

    def _list_files(self) -> set[str]:
        try:
            names = [entry.name for entry in os.scandir(self._directory)]
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise AuditError(f"{self._directory} cannot be read: {error.strerror or error}") from error
        for name in names:
            stream, _, segment = name.removesuffix(".jsonl").partition(".")
            if name.endswith(".jsonl"):
                number = int(segment) if segment.isdecimal() and len(segment) < _MAX_SEGMENT_DIGITS else 0
                whole = name.removesuffix(".jsonl") if segment and number < 2 else stream  # noqa: PLR2004 - the second
                self._segments.setdefault(whole, set()).add(number or 1)
        return set(self._segments)

    def _check(self, name: str) -> None:
        stream = _Stream(name)
        if STREAM_ID.fullmatch(name):
            self._check_stream(stream)
        else:
            stream.problem(None, "not the name of a stream")
        self._records += stream.count
        self._counts[name] = (stream.count, stream.last_hash)
        self._problems += stream.found

    def _check_stream(self, stream: _Stream) -> None:
        path = file_of(self._directory, stream.name)
        reader = None
        if stream.name in self._files:
            try:
                reader = LineReader(*segments_of(self._directory, stream.name))
            except OSError as error:
                stream.problem(None, f"its file cannot be read: {error.strerror or error}")
        else:
            self._no_file.append(stream.name)
        numbers = self._segments.get(stream.name, {1})
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            stream.problem(None, "one of its files is missing: their numbers have a gap")
        try:
            self._check_rows(stream, reader)
            if reader is not None:
                self._check_leftover(stream, reader)
        finally:
            if reader is not None:
                reader.close()
        head = self._heads.get(stream.name)
        if head is not None or stream.count or stream.found or not is_locked(path):
            self._check_head(stream, head)

    def _check_rows(self, stream: _Stream, reader: LineReader | None) -> None:
        """Steps: 1 whole pages as long as all is right, 2 else a few row by row, 3 what the end of the rows says."""
        pages = PageReader(self._connection, stream.name, pool=self._pool)
        after = 0
        while True:
            is_right = not stream.found and not stream.lagging and after == stream.count
            if is_right and self._check_page(stream, reader, pages):
                after = stream.count
                continue
            pages.settle()
            rows = store.page(self._connection, stream.name, after, PAGE_ROWS if stream.found else _SLOW_ROWS)
            self._check_each(stream, reader, rows)
            last = rows[-1]["seq"] if rows else None
            if not isinstance(last, int) or last <= after:
                break
            after = last
        lagging, young = stream.lagging, stream.last_at > self._began_at - WRITE_LAG_S
        if lagging and not (young and is_locked(file_of(self._directory, stream.name))):
            stream.problem(None, f"its file ends {lagging} lines too early")  # no writer is between commit and line
        if store.rows_before_first(self._connection, stream.name):
            stream.problem(None, "it holds rows numbered below 1")

    def _check_page(self, stream: _Stream, reader: LineReader | None, pages: PageReader) -> bool:
        """Take as much of a page as is right, rows and lines, at once; tell whether anything was."""
        text = pages.after(stream.count)
        page = checked(text, stream.name, stream.count, stream.last_hash, self._key) if text else None
        if page is None or (reader is not None and not reader.take(page.lines)):
            return False
        if stream.count == 0:
            self._take_anchor(stream.name, page.first)
        stream.count = page.count
        stream.last_hash, stream.last_at = page.last_hash, page.last_at
        return True

    def _check_each(self, stream: _Stream, reader: LineReader | None, rows: list[Row]) -> None:
        """Look at rows one by one; after the first without a line none is looked for: it may come at any moment."""
        for row in rows:
            line = self._fitting_line(stream, row) or self._examined_line(stream, row)
            if stream.lagging:
                stream.lagging += 1
            elif reader is None or (found := reader.next()) == line:
                continue
            elif found.endswith(b"\n"):
                self._tell_difference(stream, reader, found, line)
            else:
                stream.lagging = 1
                reader.hold(found)

    def _fitting_line(self, stream: _Stream, row: Row) -> bytes | None:
        """Give the line of a row that is right in every column, None when it has to be looked at closely.

        All columns are compared as one text; the count of quotes proves that none of them runs into the next.
        """
        seq, at, body, rest = stream.count + 1, row["at"], row["body"], row["rest"]
        head = f'{{"stream":"{stream.name}","seq":{seq},"prev_hash":"{stream.last_hash}","at":'
        if not (
            row["head"] == head
            and row["named"]
            and type(at) is float
            and type(body) is str
            and type(rest) is str
            and rest.count('"') == store.REST_QUOTES
            and body.startswith(f"{head}{at!r}{rest}")
            and body.isascii()
        ):
            return None
        entry_hash = self._key.entry_hash(body.encode())
        if row["seq"] != seq or row["hash"] != entry_hash:
            return None
        if seq == 1:
            self._take_anchor(stream.name, body)
        stream.count, stream.last_hash, stream.last_at = seq, entry_hash, at
        return line_of(body, entry_hash)

    def _examined_line(self, stream: _Stream, quick: Row) -> bytes:
        """Look at a row column by column and name what is wrong; give the line that belongs to it."""
        seq = quick["seq"]
        expected = stream.count + 1
        row = store.entry(self._connection, stream.name, seq) if isinstance(seq, int) else None
        if row is None or not isinstance(seq, int):
            stream.problem(expected, "a row has no number")
            return b""
        if seq != expected:
            stream.problem(expected, f"missing: the next row is number {seq}")
        stream.count = seq
        if row["prev_hash"] != stream.last_hash:
            stream.problem(seq, "it does not follow the entry before it")
        body, entry_hash = row["body"], row["hash"]
        stream.last_hash = str(entry_hash)
        if not isinstance(body, str) or not isinstance(entry_hash, str):
            stream.problem(seq, "the row holds another type of data")
            return b""
        if self._key.entry_hash(body.encode("utf-8", "surrogatepass")) != entry_hash:
            stream.problem(seq, "the row was changed: its hash does not fit")
        elif seq == 1:
            self._take_anchor(stream.name, body)
        if not columns_fit(row, body):
            stream.problem(seq, "a column of the row was changed: it differs from the hashed body")
        stream.last_at = row["at"] if isinstance(row["at"], float) else 0.0
        return line_of(body, entry_hash)

    def _tell_difference(self, stream: _Stream, reader: LineReader, found: bytes, line: bytes) -> None:
        stream.problem(stream.count, f"row and line differ; {self._opinion(found)}")
        if reader.peek() == line:
            reader.next()
            return
        seq = self._said(found).get("seq")
        if isinstance(seq, int) and seq > stream.count:
            reader.hold(found)

    def _opinion(self, line: bytes) -> str:
        return "the line is one that akili wrote" if self._said(line) else "the line was changed or inserted"

    def _said(self, line: bytes) -> dict[str, object]:
        """Give what a line that akili wrote says, nothing for any other."""
        split = split_line(line)
        if split is None or self._key.entry_hash(split[0]) != split[1]:
            return {}
        said: dict[str, object] = json.loads(line)
        return said

    def _check_leftover(self, stream: _Stream, reader: LineReader) -> None:
        """Lines beyond the rows: a deletion in the table, or a living writer that went on since our snapshot."""
        extra = fresh = 0
        last, living = stream.last_hash, is_locked(file_of(self._directory, stream.name))
        while line := reader.next():
            if living and not line.endswith(b"\n"):
                break  # it is being written; what comes of it is for the next time
            said = self._said(line)
            seq = said.get("seq")
            if living and isinstance(seq, int) and stream.count - stream.lagging < seq <= stream.count:
                continue  # it was written since its row was looked at
            extra += 1
            if seq == 1:
                self._take_anchor(stream.name, line.decode("ascii", "replace"))
            at = said.get("at")
            if said.get("prev_hash") == last and isinstance(at, float) and at > self._began_at - WRITE_LAG_S:
                fresh += 1
                last = str(said.get("hash"))
        if extra > fresh or (extra and not living):
            stream.problem(None, f"its file holds {extra} lines that are not in the table")

    def _check_head(self, stream: _Stream, head: Row | None) -> None:
        if head is None:
            stream.problem(None, "its head row is missing")
            return
        if not self._key.head_mac_fits(head):
            stream.problem(None, "its head row was changed")
        elif head["count"] != stream.count:
            stream.problem(None, f"its head counts {head['count']} entries, the table holds {stream.count}")
        elif head["head_hash"] != stream.last_hash:
            stream.problem(None, "its head is not its last entry")

    def _take_anchor(self, name: str, body: str) -> None:
        try:
            said = json.loads(body)["details"]["parameters"]["streams"]
            stated = [(other, int(count), str(end), bool(here)) for other, (count, end, here) in said.items()]
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        for other, count, end, here in stated:
            self._anchored.setdefault((other, count), set()).add(end)
            if here and file_of(self._directory, name).exists():
                self._beside.add(other)

    def _check_anchored(self) -> None:
        unread = {problem.stream for problem in self._problems} - self._counts.keys()
        for (name, count), ends in sorted(self._anchored.items()):
            if name in unread:
                continue
            have, last = self._counts.get(name, (0, NO_HASH))
            if count > have:
                what = "the whole stream was deleted" if not have else f"it ends at {have}"
                self._problems.append(Problem(name, None, f"a later stream saw {count} entries of it: {what}"))
            elif count and ends != {last if count == have else store.hash_at(self._connection, name, count)}:
                self._problems.append(Problem(name, count, "a later stream saw another entry here"))

    def _check_kept(self) -> None:
        """Compare with the anchors that were kept elsewhere."""
        for anchor in self._kept:
            when = f"the anchor of {iso(anchor.at)}"
            for name, (count, end) in sorted(anchor.streams.items()):
                have, last = self._counts.get(name, (0, NO_HASH))
                if count > have:
                    what = f"it ends at {have}" if have else "the whole stream is gone"
                    self._problems.append(Problem(name, None, f"{when} saw {count} entries of it: {what}"))
                elif end != (last if count == have else store.hash_at(self._connection, name, count)):
                    self._problems.append(Problem(name, count, f"{when} saw another entry here"))
            settled = settled_heads(list(self._heads.values()), anchor)
            if len(settled) != anchor.settled or digest_of(settled) != anchor.digest:
                what = f"{when} saw {anchor.settled} streams that had ended; these are no longer the same"
                self._problems.append(Problem("", None, f"{what} ({len(settled)} found)"))

    def _check_missing_files(self) -> None:
        """On one machine every stream has its file; on a shared database those of this host or directory have."""
        here = os.uname().nodename
        for name in self._no_file:
            if self._local or name in self._beside or self._heads.get(name, {}).get("host") == here:
                self._problems.append(Problem(name, None, "its file is missing"))
