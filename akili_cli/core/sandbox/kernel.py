"""System calls that Python does not offer, through ctypes; every failure is an ``OSError``."""

from __future__ import annotations

import ctypes
import errno
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_LONG = ctypes.c_long
_LIBC.syscall.restype = _LONG
_LIBC.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]  # else the words would be cut to 32 bit

_PYTHON = ctypes.pythonapi
_HELD = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock, which a fork must
_HELD.syscall.restype = _LONG

MACHINE = os.uname().machine
X86_64 = MACHINE == "x86_64"

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECUREBITS = 28
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47

_CLONE = 56 if X86_64 else 220
_SIGCHLD = 17
_MAX_DESCRIPTOR = 1 << 20
_OPENAT2 = 437
_O_PATH = 0o10000000
_O_CLOEXEC = 0o2000000
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_NO_MAGICLINKS = 0x02
_PLAINLY = b"".join(
    word.to_bytes(8, "little") for word in (_O_PATH | _O_CLOEXEC, 0, _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS)
)


def _failed(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def syscall(number: int, *args: int | bytes | None, what: str) -> int:
    """Make a raw system call; integers travel as 64 bit, which a variadic C call would cut to 32."""
    result: int = _LIBC.syscall(_LONG(number), *[_LONG(arg) if arg.__class__ is int else arg for arg in args])
    if result < 0:
        raise _failed(what)
    return result


def prctl(option: int, *args: int) -> int:
    """Change or read a property of the calling process."""
    result: int = _LIBC.prctl(option, *(*args, 0, 0, 0, 0)[:4])
    if result < 0:
        raise _failed(f"prctl {option}")
    return result


def drop_bounding(kept: tuple[int, ...]) -> int:
    """Drop capabilities from the bounding set, one after the other; give the error number that ended it.

    ``EINVAL`` is the end of all that the kernel knows. A loop of its own, because every command goes through it.
    """
    drop = _LIBC.prctl
    for capability in range(64):
        if capability not in kept and drop(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            return ctypes.get_errno()
    return errno.EINVAL


def fork(namespaces: int = 0) -> int:
    """Fork, the child being born in new namespaces, which ``os.fork`` cannot. Only for single-threaded processes."""
    _PYTHON.PyOS_BeforeFork()
    try:
        process: int = _HELD.syscall(*map(_LONG, (_CLONE, namespaces | _SIGCHLD, 0, 0, 0, 0)))
        if process < 0:
            raise _failed("clone")
    except OSError:
        _PYTHON.PyOS_AfterFork_Parent()
        raise
    if process:
        _PYTHON.PyOS_AfterFork_Parent()
    else:
        _PYTHON.PyOS_AfterFork_Child()
    return process


def unshare(flags: int) -> None:
    """Leave namespaces for new ones; ``os.unshare`` exists only from Python 3.12."""
    if _LIBC.unshare(ctypes.c_int(flags)) < 0:
        raise _failed("unshare")


def mount(source: bytes | None, target: bytes, kind: bytes | None, flags: int, data: bytes | None = None) -> None:
    """Mount, bind or change propagation."""
    if _LIBC.mount(source, target, kind, ctypes.c_ulong(flags), data) < 0:
        raise _failed(f"mount {os.fsdecode(target)}")


def open_plain(path: bytes) -> int:
    """Open a path for reference only; a symlink anywhere on the way is an error (``ELOOP``)."""
    descriptor: int = _LIBC.syscall(_LONG(_OPENAT2), _LONG(-100), path, _PLAINLY, _LONG(len(_PLAINLY)))
    if descriptor < 0:
        raise _failed(f"open {os.fsdecode(path)}")
    return descriptor


def open_followed(path: bytes) -> int:
    """Open a path for reference only, following symlinks."""
    return os.open(path, _O_PATH | _O_CLOEXEC)


def close_all_but(kept: tuple[int, ...]) -> None:
    """Close every descriptor but the kept ones."""
    below = -1
    for descriptor in (*sorted(kept), _MAX_DESCRIPTOR):
        if descriptor > below + 1:  # an empty range from 0 would mean all of them
            os.closerange(below + 1, descriptor)
        below = descriptor


def default_signal(number: int) -> None:
    """Give a signal its default action; the signal module would cost the zygote 4 ms at start."""
    _LIBC.signal(number, None)


def send_signal(process: int, number: int) -> None:
    """Send a signal through a pidfd, which can never hit a recycled process id."""
    syscall(424, process, number, None, 0, what="pidfd_send_signal")
