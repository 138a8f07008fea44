"""Keeps what files were before a call changes them, and finds what undoing takes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from akili_cli.adapters.files.paths import open_beneath
from akili_cli.adapters.storage.base import Database
from akili_cli.core.undo import store
from akili_cli.core.undo.ledger import Ledger
from akili_cli.core.undo.model import UndoEntry, UndoState
from akili_cli.core.undo.repositories import RepositoryJournal
from akili_cli.core.undo.settings import UndoSettings
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import (
    AkiliError,
    ConflictError,
    NotFoundError,
    RefusedError,
    ToolFailedError,
)
from akili_cli.domain.images import BeforeImage, Images, RepositoryImages
from akili_cli.domain.paths import is_within

_SET_ID = stat.S_ISUID | stat.S_ISGID
_KEPT_BY_THE_SYSTEM = frozenset({"security.selinux"})


class Journal:
    """The before-images of this machine's files in one workspace; see ``BeforeImages`` for the promises."""

    def __init__(self, db: Database, root: Path, settings: UndoSettings, clock: Clock, *, org: str, host: str) -> None:
        """Keep the parts; ``root`` is made with the first image."""
        self._ledger = Ledger(db, root, settings, clock, org=org, host=host)
        self._settings = settings
        self._repositories = RepositoryJournal(self._ledger)

    @property
    def repositories(self) -> RepositoryImages:
        """What is kept of repositories, in the same list."""
        return self._repositories

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
        await self._ledger.add(taken.entries)
        try:
            yield taken
        except AkiliError:
            await self._ledger.end(lambda: self._ends(taken))
            raise
        await self._ledger.end(lambda: self._ends(taken))

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
                data = None if entry.before is None else await asyncio.to_thread(self._ledger.objects.get, entry.before)
        return BeforeImage(entry.path, data, entry.mode, entry.uid, entry.gid, entry.after)

    async def find(self, typed: str, user: str) -> UndoEntry:
        """Find an entry as ``Ledger.find`` does."""
        return await self._ledger.find(typed, user)

    async def newest(self, user: str) -> UndoEntry | None:
        """Give the user's newest entry that is neither undone nor an undo."""
        return await self._ledger.newest(user)

    async def listing(self, user: str, limit: int = 50) -> list[UndoEntry]:
        """Give the user's entries on this machine, newest first."""
        return await self._ledger.listing(user, limit)

    def _take(self, permit: Permit, path: str, undo_of: str | None) -> UndoEntry:
        entry = self._ledger.entry(permit, path, undo_of)
        try:
            data, found = _read(path, self._settings.max_file_bytes)
        except NotFoundError:
            return entry
        except ToolFailedError as error:
            return replace(entry, why_not=str(error))
        digest, size = self._ledger.objects.put(data)
        return replace(
            entry,
            before=digest,
            mode=stat.S_IMODE(found.st_mode),
            uid=found.st_uid,
            gid=found.st_gid,
            stored_bytes=size,
        )

    def _ends(self, taken: _Taken) -> list[store.Step]:
        """Give each file's end; an entry whose file is as it was goes."""
        return [_ending(entry, *_end_of(entry, taken.written)) for entry in taken.entries]


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


def _ending(entry: UndoEntry, changed: bool, after: str | None) -> store.Step:
    if changed:
        return lambda connection, now: store.finish(connection, entry.id, after, now)
    return lambda connection, _now: store.remove(connection, entry.id)


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
