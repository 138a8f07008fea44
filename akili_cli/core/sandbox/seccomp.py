"""The system call filter: what a command never needs, and what the other layers do not reach."""

from __future__ import annotations

import ctypes
import errno
import struct

from akili_cli.core.sandbox import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16

_LOAD, _JUMP, _EQUAL, _ABOVE, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x05, 0x15, 0x25, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_MPTCP = 262
_FASTOPEN = 0x20000000
_STREAM, _DGRAM = 1, 2
_NETLINK_ROUTE, _NETLINK_DIAG = 0, 4

# The same numbers on both machines: pidfd_getfd, the new mount calls, io_uring, memfd_secret and others.
_BOTH = (438, 440, 428, 429, 430, 431, 432, 433, 442, 443, 467, 425, 426, 427, 447, 457, 458)
_DENIED = {
    "x86_64": (
        *(101, 310, 311, 312, 165, 166, 155, 161, 272, 308, 167, 168, 175, 313, 176, 246, 320, 169, 321, 298),
        *(323, 248, 249, 250, 303, 304, 300, 179, 163, 103, 172, 173, 154, 227, 164, 305, 159, 170, 171, 153),
        *(212, 135, 279, 256, 240, 29, 30, 31, 64, 65, 66, 67, 68, 69, 70, 71, 220),
    ),
    "aarch64": (
        *(117, 270, 271, 272, 40, 39, 41, 51, 97, 268, 224, 225, 105, 273, 106, 104, 294, 142, 280, 241),
        *(282, 217, 218, 219, 264, 265, 262, 60, 89, 116, 112, 170, 266, 171, 161, 162, 58),
        *(18, 92, 239, 238, 180, *range(186, 198)),
    ),
}
_CALLS = {
    "x86_64": {
        "clone": 56,
        "ioctl": 16,
        "socket": 41,
        "socketpair": 53,
        "memfd_create": 319,
        "sendto": 44,
        "sendmsg": 46,
        "sendmmsg": 307,
    },
    "aarch64": {
        "clone": 220,
        "ioctl": 29,
        "socket": 198,
        "socketpair": 199,
        "memfd_create": 279,
        "sendto": 206,
        "sendmsg": 211,
        "sendmmsg": 269,
    },
}
_CLONE3, _OPENAT2 = 435, 437
_SET_ID = 0o6000
_O_CREAT, _O_TMPFILE = 0o100, 0o20000000
# Calls that set a mode, with the argument it is in; of those that open, also the argument with the flags.
_MODES = {
    "x86_64": {90: 1, 91: 1, 268: 2, 85: 1, 133: 1, 259: 2},
    "aarch64": {52: 1, 53: 2, 33: 2},
}
_FCHMODAT2 = 452
_WATCHES = {"x86_64": (253, 294), "aarch64": (26,)}  # inotify: names of files in any directory that modes let it see
_OPENS = {"x86_64": {2: (1, 2), 257: (2, 3)}, "aarch64": {56: (2, 3)}}
_SECCOMP = {"x86_64": 317, "aarch64": 277}


def _op(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, k)


def _refuse(number: int) -> bytes:
    return _op(_RETURN, 0x00050000 | number)


_PASS = _op(_RETURN, _ALLOW)
_DENY = _refuse(errno.EPERM)
_NO_SOCKET = _refuse(errno.EACCES)


def _argument(index: int) -> bytes:
    # The low word: these arguments are ints to the kernel, which drops whatever is above.
    return _op(_LOAD, 16 + 8 * index)


def _unless_bits(index: int, bits: int) -> list[bytes]:
    return [_argument(index), _op(_ANY_BIT, bits, 0, 1), _DENY, _PASS]


def _opening(flags: int, mode: int) -> list[bytes]:
    """Look at the mode only where something is created: else that argument is whatever was there before."""
    return [_argument(flags), _op(_ANY_BIT, _O_CREAT | _O_TMPFILE, 1, 0), _PASS, *_unless_bits(mode, _SET_ID)]


def _one_of(index: int, values: Sequence[int], refusal: bytes) -> list[bytes]:
    tests = [_op(_EQUAL, value, len(values) - at, 0) for at, value in enumerate(values)]
    return [_argument(index), *tests, refusal, _PASS]


def _socket_rules(families: Iterable[int]) -> list[bytes]:
    out = [_argument(0)]
    for family in families:
        if family in (AF_INET, AF_INET6):
            body = [
                *(_argument(2), _op(_EQUAL, _MPTCP, 0, 1), _NO_SOCKET),
                *(_argument(1), _op(_AND, 0xF), _op(_EQUAL, _STREAM, 2, 0), _op(_EQUAL, _DGRAM, 1, 0)),
                *(_NO_SOCKET, _PASS),
            ]
        elif family == AF_NETLINK:
            body = _one_of(2, (_NETLINK_ROUTE, _NETLINK_DIAG), _NO_SOCKET)
        else:
            body = [_PASS]
        out += [_op(_EQUAL, family, 0, len(body)), *body]
    return [*out, _NO_SOCKET]


def program(machine: str, families: Sequence[int]) -> list[bytes]:
    """Compile the filter for a machine; only the named socket families may be opened.

    No set-uid or set-gid bit can be set: on a path that a permit opens it would outlive the command, and turn whoever
    runs the file into its owner.

    Raises ``OSError`` (``ENOSYS``) for a machine whose call numbers are not known here.
    """
    if machine not in _ARCH:
        raise OSError(errno.ENOSYS, f"no system call table for {machine}")
    call = _CALLS[machine]
    rules: list[tuple[int, list[bytes]]] = [
        (_CLONE3, [_refuse(errno.ENOSYS)]),  # its flags are behind a pointer; libc falls back to clone
        (call["memfd_create"], [_refuse(errno.ENOSYS)]),  # memory that no process's size shows
        (call["clone"], _unless_bits(0, _NEW_NAMESPACES)),
        (call["ioctl"], [_argument(1), _op(_EQUAL, _TIOCSTI, 1, 0), _op(_EQUAL, _TIOCLINUX, 0, 1), _DENY, _PASS]),
        (call["socket"], _socket_rules(families)),
        *((number, [_refuse(errno.ENOSYS)]) for number in _WATCHES[machine]),  # no path rule holds for these
        (_OPENAT2, [_refuse(errno.ENOSYS)]),  # its mode is behind a pointer; what knows it falls back to openat
        *((number, _unless_bits(mode, _SET_ID)) for number, mode in (*_MODES[machine].items(), (_FCHMODAT2, 2))),
        *((number, _opening(*arguments)) for number, arguments in _OPENS[machine].items()),
        (call["socketpair"], _one_of(0, (AF_UNIX,), _NO_SOCKET)),
        *((number, [_DENY]) for number in (*_BOTH, *_DENIED[machine])),
    ]
    if AF_INET in families:
        flags = {"sendto": 3, "sendmsg": 2, "sendmmsg": 3}
        rules += [(call[name], _unless_bits(at, _FASTOPEN)) for name, at in flags.items()]
    code = [
        *(_op(_LOAD, 4), _op(_EQUAL, _ARCH[machine], 1, 0), _op(_RETURN, _KILL), _op(_LOAD, 0)),
        *((_op(_AT_LEAST, _X32, 0, 1), _refuse(errno.ENOSYS)) if machine == "x86_64" else ()),
    ]
    return code + _search(_ranges(rules))


_FEW = 3


def _ranges(rules: Iterable[tuple[int, list[bytes]]]) -> list[tuple[int, int, list[bytes]]]:
    """Sort rules by call, and put neighbours with the same answer together."""
    found: list[tuple[int, int, list[bytes]]] = []
    for number, body in sorted(rules, key=lambda rule: rule[0]):
        first = number
        if found and found[-1][1] == number - 1 and found[-1][2] == body:
            first = found.pop()[0]
        found.append((first, number, body))
    return found


def _search(ranges: list[tuple[int, int, list[bytes]]]) -> list[bytes]:
    """Look a call up by halves: the kernel follows the filter for every call there is when it is installed."""
    if len(ranges) > _FEW:
        middle = len(ranges) // 2
        low, high = _search(ranges[:middle]), _search(ranges[middle:])
        return [_op(_AT_LEAST, ranges[middle][0], 0, 1), _op(_JUMP, len(low)), *low, *high]
    code: list[bytes] = []
    for first, last, body in ranges:
        if first == last:
            code += [_op(_EQUAL, first, 0, len(body)), *body]
        else:
            code += [_op(_AT_LEAST, first, 0, len(body) + 1), _op(_ABOVE, last, len(body), 0), *body]
    return [*code, _PASS]


_compiled: dict[tuple[int, ...], ctypes.Array[ctypes.c_char]] = {}


def prepare() -> None:
    """Compile the most frequent filter beforehand; forks have it."""
    if kernel.MACHINE in _ARCH:
        _compiled[()] = _buffer(())


def _buffer(families: Sequence[int]) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(b"".join(program(kernel.MACHINE, families)))


def install(families: Sequence[int]) -> None:
    """Filter this process and all it will start, for good. Needs no_new_privs. Raises ``OSError``."""
    code = _compiled.get(tuple(families)) or _buffer(families)
    header = struct.pack("<H6xQ", len(code) // len(_PASS), ctypes.addressof(code))
    kernel.syscall(_SECCOMP[kernel.MACHINE], 1, 0, header, what="seccomp")
