"""Keeps what a repository was before git changed it, as one entry, and puts it back.

What is kept before the effect is everything that could change; after it, only what did. An undo demands that all
of that is still as git left it, and that HEAD has not moved when work is concerned. What somebody else changed at
the same places while git was at work cannot be told from git's own doing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from akili_cli.adapters.files.nodes import demand_write
from akili_cli.core.undo import restoring, states, store
from akili_cli.core.undo.ledger import Ledger
from akili_cli.core.undo.model import UndoEntry, UndoState
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import AkiliError, ConflictError, ToolFailedError
from akili_cli.domain.images import RepositoryPlaces

_Look = Callable[[], states.Looks]


@dataclass(frozen=True, slots=True)
class _Taken:
    """An effect under way: its entry, what was there, and how to look again."""

    entry: UndoEntry
    places: RepositoryPlaces
    look: _Look
    seen: states.Looks | None
    nodes: dict[str, states.Node]


class RepositoryJournal:
    """The before-images of repositories; see ``RepositoryImages`` for the promises."""

    def __init__(self, ledger: Ledger) -> None:
        """Keep where entries and contents go."""
        self._ledger = ledger

    def reversible(self, places: RepositoryPlaces) -> bool:
        """Tell whether everything that could change there can be kept."""
        if not self._ledger.settings.enabled:
            return False
        try:
            return states.why_too_much(states.look(places)) is None
        except ToolFailedError:
            return False

    @asynccontextmanager
    async def before(self, permit: Permit, places: RepositoryPlaces) -> AsyncIterator[None]:
        """Keep, run the block, note what changed."""
        async with self._during(permit, places, lambda: states.look(places), None):
            yield

    async def restore(self, permit: Permit, entry_id: str, *, top: str, current: str, earlier: str) -> str:
        """Put a repository back as an entry says."""
        entry = await self._ledger.find(entry_id, permit.user)
        if entry.state is not UndoState.READY or entry.before is None:
            raise ConflictError(f"undo entry {entry.id} of {entry.path!r}: {entry.obstacle}; nothing was done")
        if (entry.path, entry.after, entry.before) != (top, current, earlier):
            raise ConflictError(f"undo entry {entry.id} says something else than this call; nothing was done")
        change = restoring.read_change(await asyncio.to_thread(self._ledger.objects.get, entry.before))

        def look() -> states.Looks:
            return states.look_at((*change.after, *change.reflogs))

        async with self._during(permit, RepositoryPlaces(top, change.git_dir, change.common_dir), look, entry.id):
            said = f"undo of {entry.tool} {entry.id}"
            return await asyncio.to_thread(restoring.put_back, change, permit, said, self._ledger.clock.now())

    @asynccontextmanager
    async def _during(
        self, permit: Permit, places: RepositoryPlaces, look: _Look, undo_of: str | None
    ) -> AsyncIterator[None]:
        for path in dict.fromkeys((places.top, places.git_dir, places.common_dir)):
            demand_write(permit, path)
        if not self._ledger.settings.enabled:
            yield
            return
        taken = await asyncio.to_thread(self._take, self._ledger.entry(permit, places.top, undo_of), places, look)
        if taken.entry.why_not is not None and permit.effects.reversible:
            raise ToolFailedError(
                f"what stands in {places.top!r} cannot be kept any more: {taken.entry.why_not}; nothing was done",
                hint="ask again: the call is ruled on anew",
            )
        await self._ledger.add([taken.entry])
        try:
            yield
        except AkiliError:
            await self._end(taken)
            raise
        await self._end(taken)

    def _take(self, entry: UndoEntry, places: RepositoryPlaces, look: _Look) -> _Taken:
        seen: states.Looks | None = None
        nodes: dict[str, states.Node] = {}
        why_not = None
        try:
            seen = look()
            why_not = states.why_too_much(seen)
            nodes = {} if why_not else states.take(seen)
        except ToolFailedError as error:
            why_not = str(error)
        if why_not is None:
            content = states.pack({"entry": entry.id}, nodes)
            if len(content) <= self._ledger.settings.max_total_bytes:
                digest, size = self._ledger.objects.put(content)
                return _Taken(replace(entry, before=digest, stored_bytes=size), places, look, seen, nodes)
            why_not = "it is more than undo.max_total_bytes"
        return _Taken(replace(entry, why_not=why_not), places, look, seen, {})

    async def _end(self, taken: _Taken) -> None:
        whole = taken.entry.before
        if await self._ledger.end(lambda: self._steps(taken)) and whole is not None:
            await asyncio.to_thread(self._ledger.objects.drop, whole)

    def _steps(self, taken: _Taken) -> list[store.Step]:
        """Keep what changed; an effect that changed nothing leaves no entry."""
        entry = taken.entry
        if entry.before is None:
            same = taken.seen is not None and not states.moved(taken.seen, taken.look())
            return [_removed(entry.id)] if same else [_finished(entry.id, None)]
        change = restoring.change_of(taken.places, taken.nodes, taken.seen or {}, taken.look())
        if not change.after:
            return [_removed(entry.id)]
        digest, size = self._ledger.objects.put(restoring.write_change(change, entry.id))
        return [
            lambda connection, _now: store.shrink(connection, entry.id, digest, size, change.lost),
            _finished(entry.id, change.digest),
        ]


def _removed(entry_id: str) -> store.Step:
    return lambda connection, _now: store.remove(connection, entry_id)


def _finished(entry_id: str, after: str | None) -> store.Step:
    return lambda connection, now: store.finish(connection, entry_id, after, now)
