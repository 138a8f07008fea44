"""Paths of another owner, as a command that runs under a different uid may change them.

A directory is mounted with its owner's ids mapped to the command's: what the command creates there belongs, on disk,
to the owner. Only what is mounted so is affected; uid and capabilities of the command stay what they are.
"""

from __future__ import annotations

import os

from akili_cli.core.sandbox import channel, kernel, namespaces, privileges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_CLONE, _CLOEXEC, _RECURSIVE, _EMPTY_PATH = 1, 0o2000000, 0x8000, 0x1000
_MOVE_EMPTY_PATH = 0x4
_IDMAP, _NOSUID, _NODEV = 0x100000, 2, 4
_ALL_IDS = 0xFFFFFFFF
FOR_OWNER = "mount for the owner"


def exchange(owner: int, other: int) -> bytes:
    """Write the id map that swaps two ids and keeps all others."""
    lines, start = [], 0
    for low, high in sorted(((owner, other), (other, owner)) if owner != other else ()):
        lines += [(start, start, low - start), (low, high, 1)]
        start = low + 1
    lines.append((start, start, _ALL_IDS - start))
    return b"".join(b"%d %d %d\n" % line for line in lines if line[2])


def id_map(uid: int, gid: int) -> int:
    """Make a user namespace that swaps an owner's ids and the command's; give its descriptor. Raises ``OSError``.

    A namespace needs a process to be made in: a fork, which is gone when this returns.
    """
    near, far = channel.messages()
    process = kernel.fork()
    if process == 0:
        _stand_in(near, far)
    far.close()
    try:
        own_proc = channel.receive(near, 1, 1)[1]
        if not own_proc:
            raise OSError(1, "no user namespace can be made for the owner of a path")
        try:
            for name, ids in (
                ("uid_map", exchange(uid, privileges.NOBODY)),
                ("gid_map", exchange(gid, privileges.NOBODY)),
            ):
                _write(name, own_proc[0], ids)
            return os.open("ns/user", os.O_RDONLY | os.O_CLOEXEC, dir_fd=own_proc[0])
        finally:
            os.close(own_proc[0])
    finally:
        near.close()  # and with it the stand-in leaves
        os.waitpid(process, 0)


def _stand_in(near: channel.Socket, far: channel.Socket) -> NoReturn:
    """Be the process of the new namespace until the other end hangs up."""
    try:
        near.close()
        own_proc = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)  # the id it has for whoever mounted this /proc
        kernel.unshare(namespaces.NEWUSER)
        channel.send(far, b"x", [own_proc])
        channel.receive(far, 1, 0)
    finally:
        os._exit(0)


def _write(name: str, folder: int, text: bytes) -> None:
    descriptor = os.open(name, os.O_WRONLY, dir_fd=folder)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)


def id_map_of(descriptor: int) -> int:
    """Make the map for the owner of a directory; see ``id_map``."""
    found = os.fstat(descriptor)
    return id_map(found.st_uid, found.st_gid)


def mapped(users: int, descriptor: int, remove: int = 0) -> int:
    """Give a copy of an open directory's mount that is mounted nowhere, its ids mapped, ``remove`` flags taken off.

    Mounts below it come along as they are. Raises ``OSError``: not every file system can be mounted so.
    """
    tree = kernel.syscall(_OPEN_TREE, descriptor, b"\0", _CLONE | _CLOEXEC | _RECURSIVE | _EMPTY_PATH, what="open_tree")
    words = b"".join(word.to_bytes(8, "little") for word in (_IDMAP | _NOSUID | _NODEV, remove, 0, users))
    try:
        kernel.syscall(_MOUNT_SETATTR, tree, b"\0", _EMPTY_PATH, words, len(words), what=FOR_OWNER)
    except OSError:
        os.close(tree)
        raise
    return tree


def place(tree: int, path: bytes) -> None:
    """Mount what ``mapped`` gave. Raises ``OSError``."""
    kernel.syscall(_MOVE_MOUNT, tree, b"\0", -100, path + b"\0", _MOVE_EMPTY_PATH, what=f"mount {os.fsdecode(path)}")
    os.close(tree)
