"""The quick way through a stream: whole pages as text, joined by the database while the page before is hashed.

It only ever says "all of this is right"; whatever it cannot say that of is looked at row by row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from akili_cli.adapters.storage.base import Connection
from akili_cli.core.audit import store
from akili_cli.core.audit.chain import ChainKey

PAGE_ROWS = 500
_PIECES = 3
_AHEAD = 2  # so that the thread goes on at once, without waiting for us to ask
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
    """Reads a stream's pages ahead, in a thread of its own: the database joins while we hash."""

    def __init__(self, connection: Connection, stream: str, *, pool: ThreadPoolExecutor) -> None:
        """Keep the parts."""
        self._fetch: Callable[[int], str] = lambda after: store.page_text(connection, stream, after, PAGE_ROWS)
        self._pool = pool
        self._ahead: deque[tuple[int, Future[str]]] = deque()

    def after(self, seq: int) -> str:
        """Give the text of the page after a number."""
        if self._ahead and self._ahead[0][0] == seq:
            text = self._ahead.popleft()[1].result()
        else:
            self.settle()
            text = self._fetch(seq)
        if text.count("\n") + 1 == PAGE_ROWS * _PIECES:
            for following in range(seq + PAGE_ROWS * (len(self._ahead) + 1), seq + PAGE_ROWS * (_AHEAD + 1), PAGE_ROWS):
                self._ahead.append((following, self._pool.submit(self._fetch, following)))
        return text

    def settle(self) -> None:
        """Wait until the connection is free for others."""
        while self._ahead:
            self._ahead.popleft()[1].exception()


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
