"""A directory of another owner as a command sees it that may change single names in there, and nothing else.

The command gets an empty directory of its own instead, in which only what it may read shows, and the files it may
change as copies. Whoever started it looks at that directory when the command has ended, and carries the permitted
names over. So creating, replacing and removing by whatever means works, and reaches exactly those names.
"""

from __future__ import annotations

import errno
import os
import stat

from akili_cli.core.sandbox import kernel, privileges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NOSUID, _NODEV, _BIND, _REC = 2, 4, 4096, 16384
_OPTIONS = b"mode=0755,size=64m,nr_inodes=16k,uid=%d,gid=%d" % (privileges.NOBODY, privileges.NOBODY)
_PIECE = 1 << 20
_MAX_SHOWN = 5000


class Stage:
    """One such directory: first opened, then, when all mounts have become read-only, built."""

    def __init__(self, path: bytes, copied: Sequence[bytes], readable: Sequence[bytes]) -> None:
        """Take the directory, which files are to be copied, and all that may be read; others of both are ignored."""
        self.path = path
        self._copied = [each for each in copied if each.rpartition(b"/")[0] == path]
        self._readable = readable
        self.original = -1
        self._shown: dict[bytes, int] = {}

    def open(self) -> None:
        """Keep hold of everything that will be hidden. Raises ``OSError``."""
        self.original = kernel.open_plain(self.path)
        wanted = list(self._readable)
        if any(_is_within(self.path, path) for path in wanted):
            wanted = [self.path + b"/" + name for name in self._names()]
        if len(wanted) > _MAX_SHOWN:
            raise OSError(errno.E2BIG, f"{os.fsdecode(self.path)} holds too many entries to show them")
        for path in sorted(set(wanted) - set(self._copied)):
            if (
                path != self.path
                and _is_within(path, self.path)
                and not any(_is_within(path, one) for one in self._shown)
            ):
                try:
                    self._shown[path] = kernel.open_plain(path)
                except OSError:  # not there, or a symlink, which is made anew
                    continue

    def build(self, ways: Mapping[bytes, int]) -> list[int]:
        """Mount it, and make room for what is to be mounted below: paths, each with an open descriptor.

        Gives descriptors of the directory, and then of each copy. Raises ``OSError``.
        """
        inner = b"/proc/self/fd/%d/" % self.original
        sources = [os.open(inner + path.rpartition(b"/")[2], os.O_RDONLY | os.O_NOFOLLOW) for path in self._copied]
        kernel.mount(b"tmpfs", self.path, b"tmpfs", _NOSUID | _NODEV, _OPTIONS)
        for name in self._names():
            if stat.S_ISLNK(os.lstat(inner + name).st_mode):
                os.symlink(os.readlink(inner + name), self.path + b"/" + name)  # noqa: PTH115, PTH211 - as above
        for path, descriptor in (*self._shown.items(), *ways.items()):
            if path != self.path and _is_within(path, self.path):
                _make_room(path, descriptor)
        for path, descriptor in self._shown.items():
            kernel.mount(b"/proc/self/fd/%d" % descriptor, path, None, _BIND | _REC)
            os.close(descriptor)
        found = [os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)]
        found += [_copy(source, path) for source, path in zip(sources, self._copied, strict=True)]
        return found

    def _names(self) -> list[bytes]:
        return os.listdir(b"/proc/self/fd/%d" % self.original)  # noqa: PTH208 - pathlib would make every fork bigger


def _is_within(path: bytes, root: bytes) -> bool:
    return path == root or path.startswith(root.rstrip(b"/") + b"/")


def _make_room(path: bytes, descriptor: int) -> None:
    """Make something to mount on: a directory, or an empty file for what is none."""
    if os.path.lexists(path):
        return
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.makedirs(path, mode=0o755)  # noqa: PTH103 - pathlib would make every fork bigger
        return
    os.makedirs(path.rpartition(b"/")[0], mode=0o755, exist_ok=True)  # noqa: PTH103 - as above
    os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o444))


def _copy(source: int, path: bytes) -> int:
    """Copy a file, with mode and time, as the command's own; give a descriptor to read the copy by."""
    before = os.fstat(source)
    target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    while data := os.read(source, _PIECE):
        os.write(target, data)
    os.close(source)
    os.fchown(target, privileges.NOBODY, privileges.NOBODY)
    os.fchmod(target, before.st_mode & 0o777)
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy = os.open(path, os.O_RDONLY)
    os.close(target)
    return copy
