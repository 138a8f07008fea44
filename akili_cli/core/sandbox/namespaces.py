"""Namespaces: users, a network and a /proc of one's own."""

from __future__ import annotations

import _socket  # as in channel
import fcntl
import os
import struct

from akili_cli.core.sandbox import kernel

NEWNS, NEWUTS, NEWIPC, NEWUSER = 0x20000, 0x4000000, 0x8000000, 0x10000000
NEWPID, NEWNET = 0x20000000, 0x40000000

_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_REC, _PRIVATE = 16384, 1 << 18
_SET_FLAGS, _UP_RUNNING = 0x8914, 0x41
_BACKLOG = 128


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


def unshare_mounts() -> None:
    """Leave the machine's mounts for a copy, which no change reaches either way. Raises ``OSError``."""
    kernel.unshare(NEWNS)
    kernel.mount(None, b"/", None, _REC | _PRIVATE)


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
