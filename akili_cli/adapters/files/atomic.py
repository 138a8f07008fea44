"""Files are replaced whole or not at all: written beside the target, flushed, renamed over it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from akili_cli.domain.errors import ToolFailedError, WorkspaceError

_TEMP_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_atomic(dir_fd: int, name: str, data: bytes, mode: int, *, owner: tuple[int, int] | None = None) -> None:
    """Put ``data`` under ``name`` in an open directory; a reader sees the old content or all of the new.

    ``name`` is one component; what stands there is replaced, never followed or written through, so another
    hard link to it keeps the old content. ``owner`` (uid, gid) is kept where the system allows it. On disk
    when it returns. Raises ``ToolFailedError``; no temporary file is left then.
    """
    try:
        _replace(dir_fd, name, data, mode, owner)
    except OSError as error:
        raise ToolFailedError(f"cannot write {name!r}: {error.strerror or error}") from error


def write_private(path: str | os.PathLike[str], data: bytes) -> None:
    """Write one of akili's own files: mode 0600, missing parents 0700; a symlink there is replaced.

    Raises ``WorkspaceError``.
    """
    target = Path(path)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        dir_fd = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _replace(dir_fd, target.name, data, 0o600, None)
        finally:
            os.close(dir_fd)
    except OSError as error:
        raise WorkspaceError(
            f"cannot write {target}: {error.strerror or error}", hint="check its directory's owner and mode"
        ) from error


def _replace(dir_fd: int, name: str, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    temp = f".akili-{secrets.token_hex(8)}.tmp"
    fd = os.open(temp, _TEMP_FLAGS, 0o600, dir_fd=dir_fd)
    try:
        try:
            _fill(fd, data)
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                with contextlib.suppress(PermissionError):
                    os.fchown(fd, *owner)
            os.fchmod(fd, mode)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temp, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temp, dir_fd=dir_fd)
        raise
    os.fsync(dir_fd)


def _fill(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
