"""The file door: the only way a path from outside becomes an open file.

1. ``resolve`` turns words into one absolute path without symlinks; that path is declared and ruled on.
2. Opening follows no symlink in any component, so what was ruled on is what is opened, or nothing is.
3. What was opened is looked at through its descriptor: only regular files and directories are used.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import os
import posixpath
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from akili_cli.adapters.files.atomic import write_atomic
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import (
    AkiliError,
    InvalidArgumentsError,
    NotFoundError,
    RefusedError,
    ToolFailedError,
)
from akili_cli.domain.paths import is_within

MAX_PATH_BYTES = 4095
MAX_NAME_BYTES = 255
MAX_ENTRIES = 10_000
NEW_FILE_MODE = 0o640
NEW_DIRECTORY_MODE = 0o750

_O_PATH = getattr(os, "O_PATH", 0)
_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_LOOK = _O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW
_CHUNK_BYTES = 65_536

_OPENAT2 = 437
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_RACE_RETRIES = 64

# A process's memory and environment hold every key akili was given.
_PROCESS_SECRETS = frozenset({"environ", "mem", "kcore", "auxv"})


@dataclass(frozen=True, slots=True)
class FileSlice:
    """Bytes of a file from ``offset``. ``size`` is what the file reports (0 in /proc); ``more`` follows."""

    data: bytes
    offset: int
    size: int
    more: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a directory, itself never followed; ``name`` may hold any character, even surrogates."""

    name: str
    mode: int
    size: int


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did: whether the file is new, and whether another hard link kept the old content."""

    size: int
    created: bool
    unlinked: bool


def resolve(path: str, *, cwd: str, home: str) -> str:
    """Give the absolute path that ``path`` means now: ``~`` expanded, ``..`` and symlinks resolved.

    What does not exist stays as written below the part that does; a dangling link gives its target.
    Raises ``InvalidArgumentsError`` for a text that names no file: empty, NUL, not UTF-8, too long.
    """
    if not path:
        raise InvalidArgumentsError("the path is empty")
    if "\0" in path:
        raise InvalidArgumentsError("the path holds a NUL character")
    if path.startswith("~"):
        head, _, rest = path.partition("/")
        if head != "~":
            raise InvalidArgumentsError(
                f"{head!r}: another user's home is not looked up", hint="write the absolute path"
            )
        path = f"{home}/{rest}"
    absolute = path if path.startswith("/") else f"{cwd}/{path}"
    _check_length(absolute)
    try:
        resolved = os.path.realpath(absolute)
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidArgumentsError("the path cannot be resolved") from error
    try:
        _check_length(resolved)
    except InvalidArgumentsError as error:
        raise InvalidArgumentsError(f"what the path points to is no usable path: {error}") from error
    return resolved


def open_beneath(root: str, path: str, flags: int, mode: int = 0) -> int:
    """Open a regular file, or with ``O_DIRECTORY`` a directory, at or below ``root``; give the descriptor.

    Both paths are absolute and resolved; a symlink anywhere in them, put there since, is refused. Never
    waits: a FIFO, socket or device is refused and not opened. Raises ``NotFoundError`` when nothing is
    there, ``RefusedError`` outside the root, ``ToolFailedError`` for everything else.
    """
    if not (_is_normal(path) and _is_normal(root) and is_within(path, root)):
        raise RefusedError(f"{path!r} is not below {root!r}")
    directory = bool(flags & os.O_DIRECTORY)
    if path == root and not directory:
        root = posixpath.dirname(root)
    relative = posixpath.relpath(path, root)
    try:
        with _opened(_open_root(root)) as beneath:
            if _O_PATH and not flags & os.O_CREAT:
                with _opened(_open_no_symlinks(beneath, relative, _LOOK, 0)) as look:
                    _check_kind(look, path, directory=directory)
            fd = _open_no_symlinks(beneath, relative, flags | _SAFE, mode)
            try:
                _check_kind(fd, path, directory=directory)
            except BaseException:
                os.close(fd)
                raise
    except OSError as error:
        raise _translate(error, path) from error
    return fd


def list_beneath(root: str, path: str, *, max_entries: int = MAX_ENTRIES) -> tuple[list[Entry], int]:
    """Give a directory's entries by name, at most ``max_entries``, and how many there are.

    Raises as ``open_beneath`` does.
    """
    entries = []
    with _opened(open_beneath(root, path, os.O_RDONLY | os.O_DIRECTORY)) as fd:
        try:
            names = sorted(os.listdir(fd))  # noqa: PTH208 - pathlib cannot list an open descriptor
            for name in names[:max_entries]:
                with contextlib.suppress(FileNotFoundError):
                    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    entries.append(Entry(name, found.st_mode, found.st_size))
        except OSError as error:
            raise _translate(error, path) from error
    return entries, len(names)


def read_file(path: str, permit: Permit, *, root: str = "/", max_bytes: int, offset: int = 0, limit: int) -> FileSlice:
    """Read up to ``limit`` bytes from ``offset`` of a file that the permit lets read.

    Works for files that report no size (/proc, /sys). Raises ``RefusedError`` without leave,
    ``ToolFailedError`` for a file larger than ``max_bytes``, else as ``open_beneath``.
    """
    _demand(permit, permit.effects.reads, path, "read")
    with _opened(open_beneath(root, path, os.O_RDONLY)) as fd:
        size = os.fstat(fd).st_size
        if size > max_bytes:
            raise ToolFailedError(
                f"{path!r} has {size} bytes; the limit is {max_bytes}",
                hint="raise tools.file.max_file_size_bytes",
            )
        try:
            data = b"".join(_pieces(fd, offset, limit + 1))
        except OSError as error:
            raise _translate(error, path) from error
    return FileSlice(data[:limit], offset, size, more=len(data) > limit)


def hash_file(path: str, permit: Permit, *, root: str = "/", max_bytes: int) -> tuple[str, int]:
    """Give SHA-256 (hex) and length of the first ``max_bytes`` of a file that the permit lets read."""
    _demand(permit, permit.effects.reads, path, "read")
    digest, length = hashlib.sha256(), 0
    with _opened(open_beneath(root, path, os.O_RDONLY)) as fd:
        try:
            for piece in _pieces(fd, 0, max_bytes):
                digest.update(piece)
                length += len(piece)
        except OSError as error:
            raise _translate(error, path) from error
    return digest.hexdigest(), length


def list_directory(path: str, permit: Permit, *, root: str = "/") -> tuple[list[Entry], int]:
    """List a directory that the permit lets read; see ``list_beneath``."""
    _demand(permit, permit.effects.reads, path, "list")
    return list_beneath(root, path)


def write_file(
    path: str,
    data: bytes,
    permit: Permit,
    *,
    root: str = "/",
    mode: int | None = None,
    owner: tuple[int, int] | None = None,
) -> Written:
    """Replace or create a file that the permit lets write, with missing parents, all or nothing.

    An existing file keeps its permission bits and, where possible, its owner, unless others are given; set-id
    bits are dropped. The write goes to a new file under the old name, so other hard links to it keep the old
    content. Raises ``RefusedError`` without leave, ``ToolFailedError`` for a directory, a special file or no
    permission.
    """
    _demand(permit, permit.effects.writes, path, "write")
    parent, name = posixpath.split(path)
    if not name:
        raise ToolFailedError(f"{path!r} is a directory")
    with _opened(_make_directory(root, parent)) as dir_fd:
        try:
            with _opened(open_beneath(root, path, os.O_WRONLY)) as fd:
                old = os.fstat(fd)
        except NotFoundError:
            write_atomic(dir_fd, name, data, NEW_FILE_MODE if mode is None else mode & 0o777, owner=owner)
            return Written(len(data), created=True, unlinked=False)
        kept = old.st_mode if mode is None else mode
        write_atomic(dir_fd, name, data, kept & 0o777, owner=owner or (old.st_uid, old.st_gid))
        return Written(len(data), created=False, unlinked=old.st_nlink > 1)


def remove_file(path: str, permit: Permit, *, root: str = "/") -> None:
    """Delete a regular file that the permit lets delete; on disk when it returns. Raises as ``write_file``."""
    _demand(permit, permit.effects.deletes, path, "delete")
    parent, name = posixpath.split(path)
    os.close(open_beneath(root, path, os.O_RDONLY))
    beneath = root if is_within(parent, root) else "/"
    with _opened(open_beneath(beneath, parent, os.O_RDONLY | os.O_DIRECTORY)) as dir_fd:
        try:
            os.unlink(name, dir_fd=dir_fd)
            os.fsync(dir_fd)
        except OSError as error:
            raise _translate(error, path) from error


def _demand(permit: Permit, granted: tuple[str, ...], path: str, verb: str) -> None:
    """Refuse what the permit does not name, what is protected, and what holds akili's own keys."""
    if not _is_normal(path) or not any(is_within(path, allowed) for allowed in granted):
        raise RefusedError(f"the permit does not let this call {verb} {path!r}")
    for root in permit.protected:
        if is_within(path, root) or is_within(path, os.path.realpath(root)):
            raise RefusedError(f"{path!r} is protected: akili's own files are not for tools")
    parts = path.split("/")
    if parts[1] == "proc" and parts[-1] in _PROCESS_SECRETS:
        raise RefusedError(f"{path!r} shows a process's secrets and is never opened")


def _make_directory(root: str, path: str) -> int:
    """Open a directory for reading; create it and its missing parents without following a link."""
    missing: list[str] = []
    while True:
        try:
            fd = open_beneath(root if is_within(path, root) else "/", path, os.O_RDONLY | os.O_DIRECTORY)
            break
        except NotFoundError:
            path, name = posixpath.split(path)
            missing.append(name)
    while missing:
        name = missing.pop()
        path = posixpath.join(path, name)
        with _opened(fd) as parent:
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, NEW_DIRECTORY_MODE, dir_fd=parent)
                fd = _open_no_symlinks(parent, name, os.O_RDONLY | os.O_DIRECTORY | _SAFE, 0)
            except OSError as error:
                raise _translate(error, path) from error
    return fd


def _pieces(fd: int, offset: int, wanted: int) -> Iterator[bytes]:
    while wanted > 0:
        piece = os.pread(fd, min(wanted, _CHUNK_BYTES), offset)
        if not piece:
            return
        yield piece
        offset += len(piece)
        wanted -= len(piece)


def _open_no_symlinks(dir_fd: int, relative: str, flags: int, mode: int) -> int:
    if _kernel_has_openat2():
        return open_by_kernel(dir_fd, relative, flags, mode)
    return open_by_walk(dir_fd, relative, flags, mode)


def open_by_kernel(dir_fd: int, relative: str, flags: int, mode: int) -> int:
    """Open with one system call that itself refuses symlinks and leaving the directory (``OSError``)."""
    how = struct.pack("=QQQ", flags, mode, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
    name = os.fsencode(relative)
    for _ in range(_RACE_RETRIES):
        fd = int(_syscall()(_OPENAT2, dir_fd, name, how, len(how)))
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code), relative)


def open_by_walk(dir_fd: int, relative: str, flags: int, mode: int) -> int:
    """Open component by component, each relative to the one before and not followed (``OSError``)."""
    *parents, name = relative.split("/")
    current = os.dup(dir_fd)
    try:
        for part in parents:
            step = os.open(part, _LOOK | os.O_DIRECTORY, dir_fd=current)
            os.close(current)
            current = step
        return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=current)
    finally:
        os.close(current)


@functools.cache
def _kernel_has_openat2() -> bool:
    if sys.platform != "linux":
        return False
    try:
        with _opened(os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as slash:
            os.close(open_by_kernel(slash, ".", _LOOK | os.O_DIRECTORY, 0))
    except OSError:
        return False
    return True


@functools.cache
def _syscall() -> Callable[..., int]:
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
    function.restype = ctypes.c_long
    return cast("Callable[..., int]", function)


def _open_root(root: str) -> int:
    with _opened(os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as slash:
        return _open_no_symlinks(slash, root.lstrip("/") or ".", _LOOK | os.O_DIRECTORY, 0)


@contextlib.contextmanager
def _opened(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def _check_kind(fd: int, path: str, *, directory: bool) -> None:
    mode = os.fstat(fd).st_mode
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "symbolic link", path)
    if directory and not stat.S_ISDIR(mode):
        raise ToolFailedError(f"{path!r} is not a directory")
    if not directory and stat.S_ISDIR(mode):
        raise ToolFailedError(f"{path!r} is a directory", hint="use operation=list")
    if not directory and not stat.S_ISREG(mode):
        raise ToolFailedError(f"{path!r} is no regular file but a {_kind(mode)}; such files are not opened")


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "FIFO"
    return "socket" if stat.S_ISSOCK(mode) else "device"


def _translate(error: OSError, path: str) -> AkiliError:
    match error.errno:
        case errno.ENOENT:
            return NotFoundError(f"no such file: {path!r}")
        case errno.ELOOP | errno.EXDEV:
            return ToolFailedError(
                f"{path!r} leads through a symbolic link now; it did not when it was allowed",
                hint="ask again: the new target is ruled on anew",
            )
        case errno.ENXIO | errno.ENODEV:
            return ToolFailedError(f"{path!r} is no regular file; such files are not opened")
        case _:
            return ToolFailedError(f"cannot open {path!r}: {error.strerror or error}")


def _is_normal(path: str) -> bool:
    return path.startswith("/") and (path == "/" or not {"", ".", ".."} & set(path[1:].split("/")))


def _check_length(path: str) -> None:
    try:
        raw = path.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentsError("the path is not valid Unicode") from error
    if len(raw) > MAX_PATH_BYTES:
        raise InvalidArgumentsError(f"the path is longer than {MAX_PATH_BYTES} bytes")
    if any(len(part) > MAX_NAME_BYTES for part in raw.split(b"/")):
        raise InvalidArgumentsError(f"a name in the path is longer than {MAX_NAME_BYTES} bytes")
