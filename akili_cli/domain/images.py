"""Before-images: what a file was before akili changed it, and the protocol by which tools keep and get them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class BeforeImage:
    """What undoing one entry takes.

    ``data`` None means that there was no file. ``after`` is the SHA-256 (hex) of what akili left there, None
    when it left no file: anything else there now is somebody's later work.
    """

    path: str
    data: bytes | None
    mode: int
    uid: int
    gid: int
    after: str | None


class Images(Protocol):
    """The before-images of one effect that is under way."""

    def wrote(self, path: str, data: bytes | None) -> None:
        """Say what was put at a path (None: nothing is left there); without it the file itself is read."""


class BeforeImages(Protocol):
    """Keeps what is about to be changed. A tool that changes files wraps its effect in ``before``."""

    def reversible(self, path: str) -> bool:
        """Tell whether a change or deletion of this path now could be undone entirely; reads, changes nothing."""

    def before(
        self, permit: Permit, paths: Sequence[str], *, undo_of: str | None = None
    ) -> AbstractAsyncContextManager[Images]:
        """Keep the paths' content, durably, then let the block change them, then note how it left them.

        Raises ``RefusedError`` for a path that the permit does not let change, ``ToolFailedError`` when the call
        was declared reversible and an image cannot be kept; then the block does not run. A block that ends in an
        ``AkiliError`` is noted as it left the files; one that never ends leaves unfinished entries.
        """

    async def load(self, entry_id: str, user: str) -> BeforeImage:
        """Give what undoing an entry takes.

        Raises ``NotFoundError``, and ``ConflictError`` when the entry is unfinished, undone already or was not kept.
        """


class _Nothing:
    def wrote(self, _path: str, _data: bytes | None) -> None:
        """Note nothing."""


class NoBeforeImages:
    """Keeps nothing, so nothing can be undone."""

    def reversible(self, _path: str) -> bool:
        """Tell that it could not."""
        return False

    @asynccontextmanager
    async def before(
        self, _permit: Permit, _paths: Sequence[str], *, undo_of: str | None = None
    ) -> AsyncIterator[Images]:
        """Run the block."""
        del undo_of
        yield _Nothing()

    async def load(self, entry_id: str, _user: str) -> BeforeImage:
        """Raise ``NotFoundError``."""
        raise NotFoundError(f"no undo entry {entry_id!r}", hint="undo is switched off (undo.enabled)")
