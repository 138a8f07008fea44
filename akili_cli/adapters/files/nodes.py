"""What the file door does to links, directories and times; see ``paths`` for files. No link is followed."""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import secrets
import stat
from collections.abc import Iterator

from akili_cli.adapters.files.paths import open_beneath
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import RefusedError, ToolFailedError
from akili_cli.domain.paths import is_within

Owner = tuple[int, int]
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PIECE = 4096


def demand_write(permit: Permit, path: str) -> None:
    """Raise ``RefusedError`` for a path that the permit does not let write, or that is protected."""
    if not any(is_within(path, root) for root in permit.effects.writes):
        raise RefusedError(f"the permit does not let this call write {path!r}")
    if any(is_within(path, root) or is_within(path, os.path.realpath(root)) for root in permit.protected):
        raise RefusedError(f"{path!r} is protected: akili's own files are not for tools")


def make_directory(path: str, permit: Permit, *, mode: int, owner: Owner) -> None:
    """Make a directory in one that exists; one that is there already stays. Raises ``ToolFailedError``."""
    with _parent_of(path, permit) as (parent, name), _told(path):
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
                return
            raise
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            with contextlib.suppress(PermissionError):
                os.fchown(fd, *owner)
            os.fchmod(fd, mode & 0o3777)
        finally:
            os.close(fd)
        os.fsync(parent)


def put_link(path: str, target: bytes, permit: Permit, *, owner: Owner) -> None:
    """Put a symbolic link at a path, in place of a link or file there. Raises ``ToolFailedError``."""
    with _parent_of(path, permit) as (parent, name), _told(path):
        temp = f".akili-{secrets.token_hex(8)}.tmp"
        os.symlink(target, os.fsencode(temp), dir_fd=parent)
        try:
            with contextlib.suppress(PermissionError):
                os.chown(temp, *owner, dir_fd=parent, follow_symlinks=False)
            os.rename(temp, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temp, dir_fd=parent)
            raise
        os.fsync(parent)


def remove_node(path: str, permit: Permit) -> bool:
    """Remove a file, a link or an empty directory; False for a directory that holds something, which stays."""
    with _parent_of(path, permit) as (parent, name), _told(path):
        try:
            if stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
                os.rmdir(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
        os.fsync(parent)
        return True


def set_time(path: str, mtime_ns: int, permit: Permit) -> None:
    """Set when a file was changed last."""
    with _parent_of(path, permit) as (parent, name), _told(path):
        os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=parent, follow_symlinks=False)


@contextlib.contextmanager
def locked(path: str, permit: Permit) -> Iterator[None]:
    """Hold a lock file that must not exist; raises ``ToolFailedError`` when it does."""
    with _parent_of(path, permit) as (parent, name):
        with _told(path):
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=parent))
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=parent)


@contextlib.contextmanager
def opened_directory(path: str) -> Iterator[int]:
    """Give a directory's descriptor for many reads; raises as ``open_beneath`` does."""
    fd = open_beneath("/", path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def read_in(directory: int, name: str, most: int) -> bytes | None:
    """Read a regular file of an open directory; None for one that is larger. Raises ``OSError``.

    It never waits, and what is no regular file any more is a ``ToolFailedError``.
    """
    fd = os.open(name, _READ, dir_fd=directory)
    with os.fdopen(fd, "rb", buffering=0) as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise ToolFailedError(f"{name!r} is no regular file any more")
        pieces, left = [], most + 1
        while left > 0 and (piece := file.read(min(left, max(found.st_size + 1, _PIECE)))):
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces) if left > 0 else None


@contextlib.contextmanager
def _parent_of(path: str, permit: Permit) -> Iterator[tuple[int, str]]:
    demand_write(permit, path)
    above, name = posixpath.split(path)
    with opened_directory(above) as fd:
        yield fd, name


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ToolFailedError(f"cannot change {path!r}: {error.strerror or error}") from error
