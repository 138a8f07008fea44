"""The quick way through a stream: whole pages as text, joined by the database while the page before is hashed.

It only ever says "all of this page is right"; whatever it cannot say that of is looked at row by row.
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


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is right in every column: its lines, the last entry's number, hash and time, the first body."""

    lines: bytes
    count: int
    last_hash: str
    last_at: float
    first: str


class PageReader:
    """Reads a stream's pages one ahead, in a thread of its own: the database joins while we hash."""

    def __init__(self, connection: Connection, stream: str, *, exact: bool, pool: ThreadPoolExecutor) -> None:
        """Keep the parts; ``exact`` tells that the database writes a number as text with all its digits."""
        self._fetch: Callable[[int], str] = lambda after: store.page_text(
            connection, stream, after, PAGE_ROWS, exact=exact
        )
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
        if text:
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
    """Check the page after entry ``count``; None unless every row is right and in its place.

    The database has compared id and time with the body; here the columns are compared as one text, and the count
    of their quotes proves that none of them runs into the next.
    """
    if not text.isascii():
        return None
    pieces = text.encode().split(b"\n")
    if len(pieces) % _PIECES:
        return None
    last = last_hash.encode()
    form = b'{"stream":"%s","seq":%%d,"prev_hash":"%%s","at":' % stream.encode()
    lines: list[bytes] = []
    for at in range(0, len(pieces), _PIECES):
        body, chain, rest = pieces[at : at + _PIECES]
        count += 1
        head = form % (count, last)
        if not (
            body.startswith(head)
            and body.startswith(rest, body.find(b",", len(head)))
            and rest.count(b'"') == store.REST_QUOTES
        ):
            return None
        entry_hash = key.entry_hash(body).encode()
        if chain != b"%s%s%d" % (entry_hash, last, count):
            return None
        lines += (body[:-1], b',"hash":"', entry_hash, b'"}\n')
        last = entry_hash
    last_at = float(body[len(head) : body.find(b",", len(head))])
    return Page(b"".join(lines), count, last.decode(), last_at, pieces[0].decode())
