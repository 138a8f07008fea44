"""Keeps what files were before a call changes them, and finds what undoing takes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from akili_cli.adapters.files.paths import is_within, open_beneath
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.undo import store
from akili_cli.core.undo.model import UndoEntry, UndoState, new_entry_id
from akili_cli.core.undo.objects import ObjectStore
from akili_cli.core.undo.settings import UndoSettings
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import (
    AkiliError,
    ConflictError,
    NotFoundError,
    RefusedError,
    StorageError,
    ToolFailedError,
)
from akili_cli.domain.images import BeforeImage, Images

MIN_TYPED = 4
_SET_ID = stat.S_ISUID | stat.S_ISGID
_KEPT_BY_THE_SYSTEM = frozenset({"security.selinux"})
_log = logging.getLogger(__name__)


class Journal:
    """The before-images of this machine's files in one workspace; see ``BeforeImages`` for the promises."""

    def __init__(self, db: Database, root: Path, settings: UndoSettings, clock: Clock, *, org: str, host: str) -> None:
        """Keep the parts; ``root`` is made with the first image."""
        self._db = db
        self._objects = ObjectStore(root / "objects")
        self._settings = settings
        self._clock = clock
        self._org = org
        self._host = host

    def reversible(self, path: str) -> bool:
        """Tell whether a change now could be undone entirely: content, mode and owner, with nothing lost."""
        if not self._settings.enabled:
            return False
        try:
            found = os.lstat(path)
            return (
                stat.S_ISREG(found.st_mode)
                and not found.st_mode & _SET_ID
                and found.st_nlink == 1
                and found.st_size <= self._settings.max_file_bytes
                and os.geteuid() in (0, found.st_uid)
                and not _has_attributes(path)
                and os.access(path, os.R_OK)
            )
        except FileNotFoundError:
            return True
        except OSError:
            return False

    @asynccontextmanager
    async def before(
        self, permit: Permit, paths: Sequence[str], *, undo_of: str | None = None
    ) -> AsyncIterator[Images]:
        """Keep, run the block, note how it left the files."""
        for path in paths:
            _demand(permit, path)
        taken = _Taken([])
        if not self._settings.enabled:
            yield taken
            return
        for path in paths:
            entry = await asyncio.to_thread(self._take, permit, path, undo_of)
            if entry.why_not is not None and permit.effects.reversible:
                raise ToolFailedError(
                    f"what stands at {path!r} cannot be kept any more: {entry.why_not}; nothing was done",
                    hint="ask again: the call is ruled on anew",
                )
            taken.entries.append(entry)
        await self._record(taken.entries)
        try:
            yield taken
        except AkiliError:
            await self._finish(taken)
            raise
        await self._finish(taken)

    async def load(self, entry_id: str, user: str) -> BeforeImage:
        """Give what undoing an entry takes."""
        entry = await self.find(entry_id, user)
        match entry.state:
            case UndoState.UNDONE:
                raise ConflictError(f"undo entry {entry.id} was undone already; nothing was done")
            case UndoState.UNFINISHED:
                raise ConflictError(await asyncio.to_thread(_unfinished, entry))
            case UndoState.NOT_KEPT:
                raise ConflictError(f"{entry.path!r} cannot be undone: {entry.why_not}")
            case UndoState.READY:
                data = None if entry.before is None else await asyncio.to_thread(self._objects.get, entry.before)
        return BeforeImage(entry.path, data, entry.mode, entry.uid, entry.gid, entry.after)

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

    def _take(self, permit: Permit, path: str, undo_of: str | None) -> UndoEntry:
        entry = UndoEntry(
            id=new_entry_id(),
            org=self._org,
            user=permit.user,
            host=self._host,
            tool=permit.tool,
            run_id=permit.run_id,
            call_id=permit.call_id,
            audit_id=permit.audit_id,
            path=path,
            at=self._clock.now(),
            undo_of=undo_of,
        )
        try:
            data, found = _read(path, self._settings.max_file_bytes)
        except NotFoundError:
            return entry
        except ToolFailedError as error:
            return replace(entry, why_not=str(error))
        digest, size = self._objects.put(data)
        return replace(
            entry,
            before=digest,
            mode=stat.S_IMODE(found.st_mode),
            uid=found.st_uid,
            gid=found.st_gid,
            stored_bytes=size,
        )

    async def _record(self, entries: Sequence[UndoEntry]) -> None:
        """Make entries durable; the oldest images go when all together would be too large."""
        limit = self._settings.max_total_bytes
        keep = frozenset(entry.before for entry in entries if entry.before is not None)

        def add(connection: Connection) -> list[str]:
            store.add(connection, entries)
            return store.make_room(connection, self._host, limit, keep)

        dropped = await self._db.write(add, durable=True)
        for digest in dropped:
            await asyncio.to_thread(self._objects.drop, digest)

    async def _finish(self, taken: _Taken) -> None:
        """Note each file's end; an entry whose file is as it was goes. A failure here leaves it unfinished."""
        try:
            ends = [await asyncio.to_thread(_end_of, entry, taken.written) for entry in taken.entries]
            now = self._clock.now()

            def note(connection: Connection) -> None:
                for entry, (changed, after) in zip(taken.entries, ends, strict=True):
                    if changed:
                        store.finish(connection, entry.id, after, now)
                    else:
                        store.remove(connection, entry.id)

            await self._db.write(note, durable=True)
        except (StorageError, ToolFailedError) as error:
            _log.warning("an undo entry stays unfinished", extra={"action": "undo.unfinished", "error": str(error)})


@dataclass(slots=True)
class _Taken:
    """The entries of one effect under way, and what its block says it wrote."""

    entries: list[UndoEntry]
    written: dict[str, bytes | None] = field(default_factory=dict)

    def wrote(self, path: str, data: bytes | None) -> None:
        self.written[path] = data


def _demand(permit: Permit, path: str) -> None:
    granted = (*permit.effects.writes, *permit.effects.deletes)
    if not any(is_within(path, root) for root in granted) or any(is_within(path, root) for root in permit.protected):
        raise RefusedError(f"the permit does not let this call change {path!r}")


def _read(path: str, max_bytes: int) -> tuple[bytes, os.stat_result]:
    """Read a regular file whole, following no link; raises ``NotFoundError`` and ``ToolFailedError``."""
    fd = open_beneath("/", path, os.O_RDONLY)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        try:
            data = file.read(max_bytes + 1)
        except OSError as error:
            raise ToolFailedError(f"cannot read {path!r}: {error.strerror or error}") from error
    if len(data) > max_bytes:
        raise ToolFailedError(f"it is larger than undo.max_file_bytes ({max_bytes})")
    return data, found


def digest_at(path: str) -> str | None:
    """Give the SHA-256 (hex) of the regular file at a resolved path, None where there is none.

    Raises ``ToolFailedError`` for anything else that stands there.
    """
    try:
        fd = open_beneath("/", path, os.O_RDONLY)
    except NotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ToolFailedError(f"cannot read {path!r}: {error.strerror or error}") from error


def _end_of(entry: UndoEntry, written: dict[str, bytes | None]) -> tuple[bool, str | None]:
    """Tell whether the effect changed the file, and the digest it left."""
    if entry.path in written:
        data = written[entry.path]
        after = None if data is None else hashlib.sha256(data).hexdigest()
    else:
        after = digest_at(entry.path)
    if entry.why_not is not None or after != entry.before:
        return True, after
    return after is not None and stat.S_IMODE(os.lstat(entry.path).st_mode) != entry.mode, after


def _unfinished(entry: UndoEntry) -> str:
    """Say what is known of an effect whose end akili did not see."""
    head = f"undo entry {entry.id} is unfinished: akili stopped while {entry.tool} changed {entry.path!r}"
    try:
        now = digest_at(entry.path)
    except ToolFailedError as error:
        return f"{head}; {error}. Nothing was done"
    if now == entry.before:
        return f"{head}; the file is as it was before, so there is nothing to undo"
    return (
        f"{head}, and what stands there now may be its work or somebody else's. Nothing was done; "
        f"the earlier content has SHA-256 {entry.before or '(there was no file)'}"
    )


def _has_attributes(path: str) -> bool:
    """Tell whether a file carries access lists or other attributes, which a replaced file loses."""
    return bool(set(os.listxattr(path, follow_symlinks=False)) - _KEPT_BY_THE_SYSTEM)
