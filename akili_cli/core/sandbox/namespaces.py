"""Namespaces and mounts: a process tree, a network and a view of the file system of one's own."""

from __future__ import annotations

import _socket  # as in channel
import fcntl
import os
import stat
import struct

from akili_cli.core.sandbox import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NEWNS, NEWUTS, NEWIPC, NEWUSER = 0x20000, 0x4000000, 0x8000000, 0x10000000
NEWPID, NEWNET = 0x20000000, 0x40000000

_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _REC, _PRIVATE = 32, 4096, 16384, 1 << 18
_MOUNT_SETATTR = 442
_AT_RECURSIVE = 0x8000
_SET_FLAGS, _UP_RUNNING = 0x8914, 0x41
_BACKLOG = 128
_EMPTY, _USABLE = b"mode=0711,size=1m,nr_inodes=1k", b"mode=1777,size=64m,nr_inodes=16k"


def own_user_namespace(own_proc: int | None = None) -> None:
    """Enter a user namespace that maps only this uid and gid, to themselves. Raises ``OSError``.

    ``own_proc`` is a descriptor of /proc/self from before any mount was made read-only, if one was.
    """
    if own_proc is None:
        opened = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
        try:
            own_user_namespace(opened)
        finally:
            os.close(opened)
        return
    uid, gid = os.geteuid(), os.getegid()  # afterwards both read as 65534
    kernel.unshare(NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        descriptor = os.open(name, os.O_WRONLY, dir_fd=own_proc)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def _set_attributes(path: bytes, *, add: int, remove: int = 0, flags: int = 0) -> None:
    words = b"".join(word.to_bytes(8, "little") for word in (add, remove, 0, 0))
    kernel.syscall(_MOUNT_SETATTR, -100, path + b"\0", flags, words, len(words), what="mount_setattr")


def private_mounts(writable: Sequence[bytes], covered: Sequence[bytes], private: Sequence[bytes] = ()) -> None:
    """Leave the host's mounts for a copy; make all but ``writable`` read-only; hide what is below ``covered``.

    This holds where Landlock is blind: changes of mode, owner and time need a writable mount. A covered
    directory looks empty except for the way to writable paths below it; a covered file reads as empty. A
    ``private`` directory also looks empty, and can be used until the command ends. Raises ``OSError``.
    """
    kernel.unshare(NEWNS)
    kernel.mount(None, b"/", None, _REC | _PRIVATE)
    places = [(path, kernel.open_plain(path), _is_read_only(path)) for path in writable]
    _set_attributes(b"/", add=_RDONLY | _NOSUID, flags=_AT_RECURSIVE)
    hidden: list[bytes] = []
    for path in sorted((*covered, *private)):
        if not any(path.startswith(above + b"/") for above in hidden):
            ways = [place for place, _, _ in places if place.startswith(path + b"/")]
            _cover(path, ways, usable=path in private)
            hidden.append(path)
    for path, descriptor, read_only in places:
        kernel.mount(b"/proc/self/fd/%d" % descriptor, path, None, _BIND | _REC)
        if not read_only:  # what the machine's owner mounted read-only stays so
            _set_attributes(path, add=_NOSUID | _NODEV, remove=_RDONLY)
        os.close(descriptor)


def guard(pinned: Sequence[bytes], frozen: Sequence[bytes]) -> None:
    """Make paths mounts of their own, which nobody can rename or remove; frozen ones cannot change either.

    Only inside private mounts. Raises ``OSError``.
    """
    for path in (*pinned, *frozen):
        descriptor = kernel.open_plain(path)
        kernel.mount(b"/proc/self/fd/%d" % descriptor, path, None, _BIND | _REC)
        os.close(descriptor)
    for path in frozen:
        _set_attributes(path, add=_RDONLY)


def _is_read_only(path: bytes) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _cover(path: bytes, ways: list[bytes], *, usable: bool) -> None:
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        kernel.mount(b"/dev/null", path, None, _BIND)
        return
    kernel.mount(b"tmpfs", path, b"tmpfs", _NOSUID | _NODEV, _USABLE if usable else _EMPTY)
    for way in ways:
        os.makedirs(way, mode=0o755, exist_ok=True)  # noqa: PTH103 - pathlib would make every fork bigger
    if not usable:
        _set_attributes(path, add=_RDONLY)


def own_network(port: int) -> _socket.socket:
    """Enter a network with nothing but loopback, and listen on a port of it. Raises ``OSError``."""
    kernel.unshare(NEWNET)
    opener = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(opener.fileno(), _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP_RUNNING))
    opener.close()
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", port))
    listener.listen(_BACKLOG)
    return listener


def private_proc() -> None:
    """Show only this PID namespace under /proc. Containers with a masked /proc refuse it (``OSError``)."""
    kernel.mount(b"proc", b"/proc", b"proc", _NOSUID | _NODEV | _NOEXEC)
