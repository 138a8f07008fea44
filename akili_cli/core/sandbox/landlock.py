"""Landlock: the kernel's allow-list for files, TCP ports, signals and abstract sockets.

A path is allowed by the rules on it and on every directory above it; nothing can be taken back below an
allowed directory. ``stat``, ``chdir`` and changes of mode, owner or time are outside its reach.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from akili_cli.core.sandbox import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = 1, 2, 4, 8, 16, 32
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = 64, 128, 256, 512, 1024, 2048, 4096
REFER, TRUNCATE, IOCTL_DEV = 8192, 16384, 32768

READ = READ_FILE | READ_DIR
READ_RUN = READ | EXECUTE
DEVICE = READ_FILE | WRITE_FILE | TRUNCATE
CHANGE = 0xFFFF & ~(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV)

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_TCP_BIND, _TCP_CONNECT = 1, 2
_SCOPE_ALL = 3
_RULE_PATH, _RULE_PORT = 1, 2
_ABSENT = (errno.ENOENT, errno.EACCES, errno.ENOTDIR)


def abi() -> int:
    """Give the kernel's Landlock version, 0 when there is none."""
    try:
        return kernel.syscall(_CREATE, None, 0, 1, what="landlock_create_ruleset")
    except OSError:
        return 0


_abi: list[int] = []


def _known_abi() -> int:
    """Ask the kernel once; forks know it."""
    if not _abi:
        _abi.append(abi())
    return _abi[0]


def handled(version: int) -> tuple[int, int, int]:
    """Give what a version can restrict: file rights, TCP rights, scopes."""
    files = 0x1FFF
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        files |= right if version >= since else 0
    return files, (_TCP_BIND | _TCP_CONNECT if version >= 4 else 0), (_SCOPE_ALL if version >= 6 else 0)


def create() -> int:
    """Make a ruleset without rules and give its descriptor; nothing is restricted yet. Raises ``OSError``."""
    version = _known_abi()
    if version < 1:
        raise OSError(errno.EOPNOTSUPP, "the kernel has no Landlock")
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    attributes = struct.pack("<QQQ", *handled(version))[:size]
    return kernel.syscall(_CREATE, attributes, size, 0, what="landlock_create_ruleset")


def fill(ruleset: int, rules: Iterable[tuple[bytes, int, bool]], *, ports: Iterable[int] = ()) -> int:
    """Add rules to a ruleset and give it back.

    Each rule is path, rights, and whether the path must be free of symlinks (a permitted path was resolved
    when it was ruled on: a symlink there now means it was swapped). Missing paths grant nothing. ``ports`` may
    be connected to by TCP. Raises ``OSError``.
    """
    files, tcp, _ = handled(_known_abi())
    for path, rights, plain in rules:
        try:
            descriptor = kernel.open_plain(path) if plain else kernel.open_followed(path)
        except OSError as error:
            if error.errno in _ABSENT:
                continue
            raise
        allowed = rights & files
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            allowed &= _FILE_RIGHTS
        if allowed:
            rule = struct.pack("<Qi", allowed, descriptor)
            kernel.syscall(_ADD, ruleset, _RULE_PATH, rule, 0, what="landlock_add_rule")
        os.close(descriptor)
    for port in ports if tcp else ():
        rule = struct.pack("<QQ", _TCP_CONNECT, port)
        kernel.syscall(_ADD, ruleset, _RULE_PORT, rule, 0, what="landlock_add_rule")
    return ruleset


def restrict(ruleset: int) -> None:
    """Confine this process and all it will start, for good. Needs no_new_privs."""
    kernel.syscall(_RESTRICT, ruleset, 0, what="landlock_restrict_self")
    os.close(ruleset)
