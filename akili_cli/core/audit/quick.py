"""The quick way through a stream: whole pages as text, joined by the database while the page before is hashed.

It only ever says "all of this is right"; whatever it cannot say that of is looked at row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

from akili_cli.adapters.storage.base import Connection
from akili_cli.core.audit import store
from akili_cli.core.audit.chain import ChainKey

PAGE_ROWS = 500
_PIECES = 3
_EXACT_SINCE = 2.0**30


@dataclass(frozen=True, slots=True)
class Page:
    """Entries that are right in every column: their lines, the last entry's number, hash and time, the first body."""

    lines: bytes
    count: int
    last_hash: str
    last_at: float
    first: str


class PageReader:
    """Reads a stream's pages one ahead, in a thread of its own: the database joins while we hash."""

    def __init__(self, connection: Connection, stream: str, *, pool: ThreadPoolExecutor) -> None:
        """Keep the parts."""
        self._fetch: Callable[[int], str] = lambda after: store.page_text(connection, stream, after, PAGE_ROWS)
        self._begun = Event()
        self._pool = pool
        self._ahead: tuple[int, Future[str]] | None = None

    def after(self, seq: int) -> str:
        """Give the text of the page after a number."""
        if self._ahead is not None and self._ahead[0] == seq:
            text = self._ahead[1].result()
        else:
            self.settle()
            text = self._fetch(seq)
        self._ahead = None
        if text.count("\n") + 1 == PAGE_ROWS * _PIECES:
            self._begun.clear()
            following = seq + PAGE_ROWS
            self._ahead = (following, self._pool.submit(self._begin, following))
            self._begun.wait()  # lets the other thread run until the database works; else it would wait for us
        return text

    def _begin(self, seq: int) -> str:
        self._begun.set()
        return self._fetch(seq)

    def settle(self) -> None:
        """Wait until the connection is free for others."""
        if self._ahead is not None:
            self._ahead[1].exception()


def checked(text: str, stream: str, count: int, last_hash: str, key: ChainKey) -> Page | None:
    """Check the page after entry ``count`` up to the first entry that is not right and in its place; None when that
    is the very first.

    The columns are compared as texts; the count of their quotes and spaces proves that none runs into the next.
    """
    if not text.isascii():
        return None
    pieces = text.split("\n")
    if len(pieces) % _PIECES:
        return None
    bodies = pieces[::_PIECES]
    begin, last, last_at = f'{{"stream":"{stream}","seq":', last_hash, 0.0
    lines: list[str] = []
    columns = zip(bodies, pieces[1::_PIECES], pieces[2::_PIECES], key.entry_hashes(bodies), strict=True)
    try:
        for seq, (body, chain, rest, entry_hash) in enumerate(columns, count + 1):
            head = f'{begin}{seq},"prev_hash":"{last}","at":'
            end = body.find(",", len(head))
            at = float(body[len(head) : end])
            if not (
                body.startswith(head)
                and body.startswith(rest, end)
                and rest.count('"') == store.REST_QUOTES
                and chain == f"{entry_hash} {last}{seq} {stream}-{seq} {int(at * store.AT_STEPS)}"
                and at >= _EXACT_SINCE
            ):
                break
            lines += (body[:-1], ',"hash":"', entry_hash, '"}\n')
            count, last, last_at = seq, entry_hash, at
    except (ValueError, OverflowError):  # where the time stands is no number
        pass
    return Page("".join(lines).encode(), count, last, last_at, bodies[0]) if lines else None
