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


@dataclass(frozen=True, slots=True)
class RepositoryPlaces:
    """What one git command may change: the state in its git directories, and all at or below the ``work`` paths.

    ``inner`` says that this includes repositories inside the work tree. All paths are absolute and resolved.
    """

    top: str
    git_dir: str
    common_dir: str
    work: tuple[str, ...] = ()
    inner: bool = False


class RepositoryImages(Protocol):
    """Keeps what a git command is about to change, all of it as one undo entry."""

    def reversible(self, places: RepositoryPlaces) -> bool:
        """Tell whether everything that could change there can be kept; reads, changes nothing."""

    def before(self, permit: Permit, places: RepositoryPlaces) -> AbstractAsyncContextManager[None]:
        """Keep, durably, then let the block change it, then note what changed; nothing else stays kept.

        Raises as ``BeforeImages.before``.
        """

    async def restore(self, permit: Permit, entry_id: str, *, top: str, current: str, earlier: str) -> str:
        """Put a repository back as an entry says, itself as an entry that can be undone; tell what was done.

        Raises ``NotFoundError``; ``ConflictError`` when the entry says something else, is not ready, or anything
        of it was changed since: then nothing was done. Raises ``RefusedError`` for a path outside the permit,
        ``ToolFailedError`` when the disk does not let it happen.
        """


class BeforeImages(Protocol):
    """Keeps what is about to be changed. A tool that changes files wraps its effect in ``before``."""

    @property
    def repositories(self) -> RepositoryImages:
        """The same for what git changes."""

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


class NoRepositoryImages:
    """Keeps nothing of a repository."""

    def reversible(self, _places: RepositoryPlaces) -> bool:
        """Tell that it could not."""
        return False

    @asynccontextmanager
    async def before(self, _permit: Permit, _places: RepositoryPlaces) -> AsyncIterator[None]:
        """Run the block."""
        yield

    async def restore(self, _permit: Permit, entry_id: str, *, top: str, current: str, earlier: str) -> str:
        """Raise ``NotFoundError``."""
        del top, current, earlier
        raise _off(entry_id)


class NoBeforeImages:
    """Keeps nothing, so nothing can be undone."""

    @property
    def repositories(self) -> RepositoryImages:
        """Nothing of these either."""
        return NoRepositoryImages()

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
        raise _off(entry_id)


def _off(entry_id: str) -> NotFoundError:
    return NotFoundError(f"no undo entry {entry_id!r}", hint="undo is switched off (undo.enabled)")
