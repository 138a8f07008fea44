"""The list of undo entries and the contents they need, shared by files and repositories."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.undo import store
from akili_cli.core.undo.model import UndoEntry, new_entry_id
from akili_cli.core.undo.objects import ObjectStore
from akili_cli.core.undo.settings import UndoSettings
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import ConflictError, NotFoundError, StorageError, ToolFailedError, WorkspaceError

MIN_TYPED = 4
_log = logging.getLogger(__name__)


class Ledger:
    """One workspace's entries of this machine."""

    def __init__(self, db: Database, root: Path, settings: UndoSettings, clock: Clock, *, org: str, host: str) -> None:
        """Keep the parts; ``root`` is made with the first image."""
        self._db = db
        self.objects = ObjectStore(root / "objects")
        self.settings = settings
        self.clock = clock
        self._org = org
        self._host = host

    def entry(self, permit: Permit, path: str, undo_of: str | None) -> UndoEntry:
        """Give a new entry for what a call is about to do, not added yet."""
        return UndoEntry(
            id=new_entry_id(),
            org=self._org,
            user=permit.user,
            host=self._host,
            tool=permit.tool,
            run_id=permit.run_id,
            call_id=permit.call_id,
            audit_id=permit.audit_id,
            path=path,
            at=self.clock.now(),
            undo_of=undo_of,
        )

    async def add(self, entries: Sequence[UndoEntry]) -> None:
        """Make entries durable; the oldest images go when all together would be too large."""
        limit = self.settings.max_total_bytes
        keep = frozenset(entry.before for entry in entries if entry.before is not None)

        def add(connection: Connection) -> list[str]:
            store.add(connection, entries)
            return store.make_room(connection, self._org, self._host, limit, keep)

        dropped = await self._db.write(add, durable=True)
        for digest in dropped:
            await asyncio.to_thread(self.objects.drop, digest)

    async def end(self, note: Callable[[], Sequence[store.Step]]) -> bool:
        """Find out how an effect ended and write that down; False when that failed: its entries stay unfinished."""
        try:
            steps, now = await asyncio.to_thread(note), self.clock.now()

            def write(connection: Connection) -> None:
                for step in steps:
                    step(connection, now)

            await self._db.write(write, durable=True)
        except (StorageError, ToolFailedError, WorkspaceError) as error:
            _log.warning("an undo entry stays unfinished", extra={"action": "undo.unfinished", "error": str(error)})
            return False
        return True

    async def find(self, typed: str, user: str) -> UndoEntry:
        """Find a user's entry by its id, an unambiguous beginning of it, or its audit id.

        Raises ``NotFoundError``, and ``ConflictError`` when more than one fits.
        """
        typed = typed.strip()
        found: list[UndoEntry] = []
        if len(typed) >= MIN_TYPED:
            found = await self._db.read(lambda connection: store.find(connection, self._who(user), typed))
        if len(found) == 1:
            return found[0]
        if found:
            raise ConflictError(f"more than one undo entry fits {typed!r}", hint="see: akili undo --list")
        raise NotFoundError(f"no undo entry {typed!r} of {user} on this machine", hint="see: akili undo --list")

    async def newest(self, user: str) -> UndoEntry | None:
        """Give the user's newest entry that is neither undone nor an undo."""
        return await self._db.read(lambda connection: store.newest(connection, self._who(user)))

    async def listing(self, user: str, limit: int = 50) -> list[UndoEntry]:
        """Give the user's entries on this machine, newest first."""
        return await self._db.read(lambda connection: store.listing(connection, self._who(user), limit))

    def _who(self, user: str) -> dict[str, object]:
        return {"org": self._org, "user": user, "host": self._host}
