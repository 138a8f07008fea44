"""Carries what a command left in a staged directory over to the real one: the permitted names, and nothing else.

Everything there was written by a command that nobody trusts, and has ended: links are never followed, set-id bits
are dropped, and what is neither file, directory nor link is refused. A file that the command changed in place is
changed in place, one that it replaced is replaced at once. What somebody else changed meanwhile is left alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from akili_cli.domain.errors import SandboxError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK
_PIECE = 1 << 20
_PERMISSIONS = 0o777
_MAX_DEPTH = 64


@dataclass(slots=True)
class Carrier:
    """From ``view``, a staged directory, to ``real``, both open; ``room`` is how many bytes may still be written."""

    view: int
    real: int
    room: int

    def carry(self, name: str, before: os.stat_result | None, copy: int | None, *, delete: bool, write: bool) -> None:
        """Do to the real name what the command did to the staged one.

        ``before`` is how the real file was, None when there was none, and ``copy`` its copy, which is the staged
        file still if that was changed in place. Raises ``SandboxError`` and ``OSError``.
        """
        *above, leaf = name.split("/")
        with contextlib.ExitStack() as opened:
            view, real = self.view, self.real
            for part in above:
                now = look(part, view)
                if now is None or not stat.S_ISDIR(now.st_mode):
                    return
                if look(part, real) is None:
                    _make_folder(part, real, now)
                view, real = (os.open(part, _FOLDER, dir_fd=folder) for folder in (view, real))
                opened.callback(os.close, view)
                opened.callback(os.close, real)
            now = look(leaf, view)
            if now is None:
                if before is not None and delete:
                    _check(name, before, look(leaf, real))
                    os.unlink(leaf, dir_fd=real)
            elif write and before is None:
                self._make(leaf, name, view, real, _MAX_DEPTH)
            elif write and before is not None:
                if copy is not None and now.st_ino == os.fstat(copy).st_ino:
                    self._update(leaf, name, copy, real, before)
                else:
                    self._replace(leaf, name, view, real, before)

    def _make(self, leaf: str, name: str, view: int, real: int, depth: int) -> None:
        """Make what was not there: a file, a link, or a directory with what is in it."""
        now = os.stat(leaf, dir_fd=view, follow_symlinks=False)
        if stat.S_ISREG(now.st_mode):
            with _file(leaf, view, os.O_RDONLY) as source, _file(leaf, real, _NEW) as target:
                self._copy(source, target, name)
                _give(target, real)
                os.fchmod(target, now.st_mode & _PERMISSIONS)
        elif stat.S_ISLNK(now.st_mode):
            _link(leaf, os.readlink(leaf, dir_fd=view), real)
        elif stat.S_ISDIR(now.st_mode) and depth:
            _make_folder(leaf, real, now)
            with _folder(leaf, view) as inner_view, _folder(leaf, real) as inner_real:
                for child in os.listdir(inner_view):  # noqa: PTH208 - a descriptor, not a path
                    self._make(child, f"{name}/{child}", inner_view, inner_real, depth - 1)
        else:
            raise SandboxError(f"{name} is neither a file nor a directory or link: it was not carried over")

    def _update(self, leaf: str, name: str, copy: int, real: int, before: os.stat_result) -> None:
        """Change a file as the command did, which wrote to it but did not replace it."""
        now = os.fstat(copy)
        with _file(leaf, real, os.O_RDWR) as target:
            kept = _common(copy, target, min(now.st_size, before.st_size))
            is_written = kept < before.st_size or now.st_size > before.st_size
            if is_written:
                self._write(copy, target, kept, name, before)
            elif now.st_mtime_ns != before.st_mtime_ns:
                os.utime(target, ns=(now.st_atime_ns, now.st_mtime_ns))
            if is_written or now.st_mode & _PERMISSIONS != before.st_mode & _PERMISSIONS:
                os.fchmod(target, now.st_mode & _PERMISSIONS)

    def _write(self, copy: int, target: int, kept: int, name: str, before: os.stat_result) -> None:
        """Write what differs; what was only appended to is appended to, whoever else did that meanwhile."""
        found, appended = os.fstat(target), kept == before.st_size
        if not appended:
            _check(name, before, found)
        elif (found.st_dev, found.st_ino) != (before.st_dev, before.st_ino):
            raise _changed(name)
        os.lseek(copy, kept, os.SEEK_SET)
        os.lseek(target, found.st_size if appended else kept, os.SEEK_SET)
        self._copy(copy, target, name)
        if not appended:
            os.ftruncate(target, os.fstat(copy).st_size)

    def _replace(self, leaf: str, name: str, view: int, real: int, before: os.stat_result) -> None:
        """Put another file, or a link, in the place of a file, at once and with the same owner."""
        now = os.stat(leaf, dir_fd=view, follow_symlinks=False)
        temporary = f".akili-{secrets.token_hex(8)}"
        try:
            if stat.S_ISLNK(now.st_mode):
                _link(temporary, os.readlink(leaf, dir_fd=view), real)
            elif stat.S_ISREG(now.st_mode):
                with _file(leaf, view, os.O_RDONLY) as source, _file(temporary, real, _NEW) as target:
                    self._copy(source, target, name)
                    _attributes(leaf, real, target)
                    os.fchown(target, before.st_uid, before.st_gid)
                    os.fchmod(target, now.st_mode & _PERMISSIONS)
                    os.fsync(target)
            else:
                raise SandboxError(f"{name} is neither a file nor a link any more: it was not carried over")
            _check(name, before, look(leaf, real))
            os.rename(temporary, leaf, src_dir_fd=real, dst_dir_fd=real)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=real)

    def _copy(self, source: int, target: int, name: str) -> None:
        while data := os.read(source, _PIECE):
            self.room -= len(data)
            if self.room < 0:
                raise SandboxError(f"{name} was not carried over: the command left more than fits")
            _write(target, data)


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@contextlib.contextmanager
def _file(leaf: str, folder: int, flags: int) -> Iterator[int]:
    descriptor = os.open(leaf, flags | _PLAIN, 0o600, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SandboxError(f"{leaf} is no plain file any more: it was not carried over")
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _folder(leaf: str, above: int) -> Iterator[int]:
    descriptor = os.open(leaf, _FOLDER, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def look(leaf: str, folder: int) -> os.stat_result | None:
    """Give how a name is in an open directory, None when it is not there."""
    try:
        return os.stat(leaf, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _changed(name: str) -> SandboxError:
    return SandboxError(f"{name} was changed by somebody else while the command ran: it was left as it is")


def _check(name: str, before: os.stat_result, found: os.stat_result | None) -> None:
    if found is None or _signature(found) != _signature(before):
        raise _changed(name)


def _signature(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _make_folder(leaf: str, above: int, like: os.stat_result) -> None:
    os.mkdir(leaf, 0o700, dir_fd=above)
    with _folder(leaf, above) as made:
        _give(made, above)
        os.fchmod(made, like.st_mode & _PERMISSIONS)


def _give(descriptor: int, folder: int) -> None:
    """Make something new belong to the owner of the directory that it is in."""
    owner = os.fstat(folder)
    os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _link(leaf: str, target: str, folder: int) -> None:
    os.symlink(target, leaf, dir_fd=folder)
    owner = os.fstat(folder)
    os.chown(leaf, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)


def _attributes(leaf: str, folder: int, target: int) -> None:
    """Keep the extended attributes of a file that is replaced, access lists among them, as far as that is possible."""
    with _file(leaf, folder, os.O_RDONLY) as source:
        for attribute in os.listxattr(source):
            try:
                os.setxattr(target, attribute, os.getxattr(source, attribute))
            except OSError as error:
                if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENODATA):
                    raise


def _common(one: int, other: int, size: int) -> int:
    """Give how many bytes two files have in common from the start, at most ``size``, in whole pieces."""
    os.lseek(one, 0, os.SEEK_SET)
    os.lseek(other, 0, os.SEEK_SET)
    same = 0
    while same < size:
        pieces = [os.read(each, min(_PIECE, size - same)) for each in (one, other)]
        if not pieces[0] or pieces[0] != pieces[1]:
            break
        same += len(pieces[0])
    return same


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
