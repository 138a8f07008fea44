"""Scratch directories: private to one command, always removed, and swept when their owner died."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from akili_cli.domain.errors import SandboxError

_PREFIX = "akili-sandbox-"
_OWN_ALL = 0o700


class Scratch:
    """One directory, locked for as long as it is in use; the lock dies with akili."""

    def __init__(self, root: Path, owner: int | None) -> None:
        """Create it under ``root``; ``owner`` is the uid and gid that may use it. Raises ``SandboxError``."""
        try:
            self.path, self._lock = _create(root)
            if owner is not None:
                os.chown(self._lock, owner, owner)
        except OSError as error:
            raise SandboxError(f"no scratch directory can be made in {root}: {error.strerror}") from error
        self._owner = owner

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files below the directory, before anything runs in it. Raises ``SandboxError`` for odd names."""
        for name, content in files.items():
            pure = PurePosixPath(name)
            if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in name:
                raise SandboxError(f"{name!r} is not a file name below the scratch directory")
            target = self.path / pure
            try:
                for parent in reversed(target.relative_to(self.path).parents[:-1]):
                    (self.path / parent).mkdir(mode=_OWN_ALL, exist_ok=True)
                    self._give(self.path / parent)
                with target.open("xb") as file:
                    file.write(content)
                self._give(target)
            except (OSError, UnicodeEncodeError) as error:
                raise SandboxError(f"{name!r} cannot be written for the command: {error}") from error

    def _give(self, path: Path) -> None:
        path.chmod(_OWN_ALL)
        if self._owner is not None:
            os.chown(path, self._owner, self._owner)

    def remove_empty(self) -> bool:
        """Delete it if there is nothing in it; tell whether it is gone."""
        try:
            self.path.rmdir()
        except OSError:
            return False
        os.close(self._lock)
        return True

    def remove(self) -> None:
        """Delete it with everything in it. Nothing may run in it any more."""
        try:
            _clear(self._lock)
            self.path.rmdir()
        finally:
            os.close(self._lock)


def _create(root: Path) -> tuple[Path, int]:
    while True:
        path = root / f"{_PREFIX}{secrets.token_hex(8)}"
        try:
            path.mkdir(mode=_OWN_ALL)
        except FileNotFoundError:
            root.mkdir(mode=_OWN_ALL, parents=True, exist_ok=True)
            continue
        lock = _lock(path)
        if lock is not None:
            return path, lock


def _lock(path: Path) -> int | None:
    """Take the lock of a directory; None when somebody has it or it is no directory of ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def sweep_stale(root: Path) -> int:
    """Remove what dead processes left under ``root``; give how many directories went."""
    swept = 0
    for path in root.glob(f"{_PREFIX}*"):
        lock = _lock(path)
        if lock is None:
            continue
        try:
            _clear(lock)
            path.rmdir()
            swept += 1
        except OSError:  # somebody else's file system state; it is tried again at the next start
            continue
        finally:
            os.close(lock)
    return swept


def _clear(top: int) -> None:
    """Empty a directory with a constant number of descriptors, however deep a hostile command nested it.

    A directory that is not empty hands its own directories up to the top first, and is tried again.
    """
    moved = 0
    while names := os.listdir(top):
        for name in names:
            if not _is_directory(name, top):
                os.unlink(name, dir_fd=top)
                continue
            os.chmod(name, _OWN_ALL, dir_fd=top)
            child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            try:
                for inner in os.listdir(child):  # noqa: PTH208 - a descriptor, not a path
                    if _is_directory(inner, child):
                        os.chmod(inner, _OWN_ALL, dir_fd=child)
                        os.rename(inner, f"{_PREFIX}{moved}-{secrets.token_hex(8)}", src_dir_fd=child, dst_dir_fd=top)
                        moved += 1
                    else:
                        os.unlink(inner, dir_fd=child)
            finally:
                os.close(child)
            os.rmdir(name, dir_fd=top)


def _is_directory(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def first_closed(path: Path) -> str | None:
    """Give the topmost directory on the way to a path that the unprivileged uid may not pass, if any."""
    place = ""
    for part in str(path.parent).split("/")[1:]:
        place += f"/{part}"
        if not os.stat(place).st_mode & stat.S_IXOTH:  # noqa: PTH116 - for every command, and a Path costs more
            return place
    return None
