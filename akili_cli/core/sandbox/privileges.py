"""Who a command is: an unprivileged uid, no capabilities, and no way to gain any."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from akili_cli.core.sandbox import kernel

NOBODY = 65534
CAP_DAC_READ_SEARCH = 2
CAP_KILL = 5
_CAP_SETPCAP = 8
CAP_SYS_PTRACE = 19

_ACCESS_AS_IT_IS = 0b1111
"""``access()`` answers as ``open()`` would, which git asks first; root's uid alone gives nothing. Both for good."""

_AMBIENT_RAISE, _AMBIENT_CLEAR = 2, 4
_CAP_VERSION = 0x20080522
_CAPGET, _CAPSET = (125, 126) if kernel.X86_64 else (90, 91)


def holds(capability: int) -> bool:
    """Tell whether this process may use a capability."""
    return bool(_permitted() >> capability & 1)


def _permitted() -> int:
    sets = ctypes.create_string_buffer(24)
    kernel.syscall(_CAPGET, struct.pack("<Ii", _CAP_VERSION, 0), ctypes.addressof(sets), what="capget")
    low, high = struct.unpack("<6I", sets.raw)[1::3]
    return int(low | high << 32)


def _capset(usable: int, inherited: int) -> None:
    words = (usable, usable, inherited)
    sets = struct.pack("<6I", *(word & 0xFFFFFFFF for word in words), *(word >> 32 for word in words))
    kernel.syscall(_CAPSET, struct.pack("<Ii", _CAP_VERSION, 0), sets, what="capset")


def no_new_privileges() -> None:
    """Make set-uid and file capabilities without effect, for good."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def set_capabilities(kept: tuple[int, ...], *, inheritable: bool) -> None:
    """Drop every capability but the kept ones from all sets; ``inheritable`` ones survive an exec.

    Bounding first: that needs a capability which is gone afterwards. Raises ``OSError``.
    """
    _capset(_permitted(), 0)  # a change of uid left them permitted but not effective
    if kept and holds(_CAP_SETPCAP):
        kernel.prctl(kernel.PR_SET_SECUREBITS, _ACCESS_AS_IT_IS)
    error = kernel.drop_bounding(kept)
    if error != errno.EINVAL and (error != errno.EPERM or holds(_CAP_SETPCAP)):  # without it no_new_privs must do
        raise OSError(error, f"the bounding set: {os.strerror(error)}")
    kernel.prctl(kernel.PR_CAP_AMBIENT, _AMBIENT_CLEAR)
    bits = sum(1 << capability for capability in kept)
    _capset(bits, bits if inheritable else 0)
    for capability in kept if inheritable else ():
        kernel.prctl(kernel.PR_CAP_AMBIENT, _AMBIENT_RAISE, capability)


def become_nobody() -> None:
    """Give up root for uid and gid 65534 without groups; capabilities stay permitted. Raises ``OSError``."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    kernel.prctl(kernel.PR_SET_KEEPCAPS, 1)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else /proc/self belongs to root and the uid map cannot be written
