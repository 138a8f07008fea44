"""The database port: one portable SQL text, short transactions, functions of a connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

T = TypeVar("T")
Row = dict[str, object]
Params = Mapping[str, object]


class Connection(Protocol):
    """What a store's functions get; valid only inside the call.

    SQL is portable: ``:name`` parameters, ``INSERT .. ON CONFLICT .. RETURNING``, text/bigint/double/bytea
    columns only, times as epoch doubles, booleans as 0/1, JSON as text, and the token ``{skip}``, which is
    ``FOR UPDATE SKIP LOCKED`` where that exists and nothing on SQLite.
    """

    def execute(self, sql: str, params: Params | None = None) -> list[Row]:
        """Run one statement and give its rows (empty for one without a result).

        Raises ``ConflictError`` when a unique key is taken, ``StorageError`` for everything else.
        """

    def changed(self, sql: str, params: Params | None = None) -> int:
        """Run one statement and give the number of rows it changed."""

    def joined(self, sql: str, params: Params | None = None) -> str:
        """Run a query of one text column named ``line``; give its rows joined by newlines, NULLs left out.

        For reading very many rows: the database joins them, without a Python object for each. It may be called
        from another thread than the function's, one call at a time.
        """


class Database(Protocol):
    """A workspace's state. Functions run off the event loop; the caller awaits their value."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgres``."""

    @property
    def migrated(self) -> tuple[str, ...]:
        """The schema steps that opening it applied."""

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run a function that only reads, on a connection of its own."""

    async def write(self, fn: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run a function in one transaction; its exception rolls it back alone and reaches the caller.

        Returns after the commit. ``durable`` waits until the commit is on the disk (fsync), which may be
        shared with other writers' commits; without it a power cut may lose the last moments, a crash of
        akili may not.
        """

    async def search(self, table: str, words: str, limit: int, *, org: str) -> list[Row]:
        """Full-text search over an organisation's rows of a searchable table; best first, with ``score``."""

    async def close(self) -> None:
        """Finish what is queued and release files and connections."""
