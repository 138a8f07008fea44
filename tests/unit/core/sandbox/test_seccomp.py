from __future__ import annotations

import errno
import struct
from collections.abc import Sequence

import pytest

from akili_cli.core.sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
EPERM, EACCES, ENOSYS = (0x50000 | number for number in (errno.EPERM, errno.EACCES, errno.ENOSYS))


def verdict(machine: str, families: Sequence[int], call: int, *arguments: int, arch: int | None = None) -> int:
    """Run the filter as the kernel does."""
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<iIQ6Q", call, ARCH[machine] if arch is None else arch, 0, *words)
    code = [struct.unpack("<HBBI", op) for op in seccomp.program(machine, families)]
    at = accumulator = 0
    while True:
        op, yes, no, k = code[at]
        at += 1
        if op == 0x20:
            accumulator = struct.unpack_from("<I", data, k)[0]
        elif op == 0x54:
            accumulator &= k
        elif op == 0x06:
            return k
        elif op == 0x05:
            at += k
        else:
            hit = {0x15: accumulator == k, 0x25: accumulator > k, 0x35: accumulator >= k, 0x45: bool(accumulator & k)}[
                op
            ]
            at += yes if hit else no


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        (0, (), ALLOW),
        (101, (), EPERM),
        (425, (), EPERM),
        (435, (), ENOSYS),
        (319, (), ENOSYS),
        (0x40000001, (), ENOSYS),
        (56, (17,), ALLOW),
        (56, (0x10000000 | 17,), EPERM),
        (16, (0, 0x5401), ALLOW),
        (16, (0, 0x5412), EPERM),
        (16, (0, 0xFF00005412), EPERM),
        (41, (1, 1), EACCES),
        (41, (2, 1), EACCES),
        (53, (1, 1), ALLOW),
        (53, (2, 1), EACCES),
        (44, (0, 0, 0, 0x20000000), ALLOW),
    ],
)
def test_without_a_network_only_socket_pairs_open(call: int, arguments: tuple[int, ...], expected: int) -> None:
    assert verdict("x86_64", (), call, *arguments) == expected


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        (41, (1, 1), ALLOW),
        (41, (2, 0x80001), ALLOW),
        (41, (10, 2), ALLOW),
        (41, (2, 3), EACCES),
        (41, (2, 5), EACCES),
        (41, (2, 1, 262), EACCES),
        (41, (16, 3, 0), ALLOW),
        (41, (16, 3, 4), ALLOW),
        (41, (16, 3, 9), EACCES),
        (41, (40, 1), EACCES),
        (41, (17, 3), EACCES),
        (44, (0, 0, 0, 0x20000000), EPERM),
        (46, (0, 0, 0x20000000), EPERM),
        (44, (0, 0, 0, 0), ALLOW),
    ],
)
def test_with_a_network_only_its_families_open(call: int, arguments: tuple[int, ...], expected: int) -> None:
    assert verdict("x86_64", (1, 2, 10, 16), call, *arguments) == expected


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [(63, (), ALLOW), (117, (), EPERM), (198, (2, 1), EACCES), (220, (0x20000000,), EPERM), (435, (), ENOSYS)],
)
def test_the_other_machine_has_its_own_numbers(call: int, arguments: tuple[int, ...], expected: int) -> None:
    assert verdict("aarch64", (), call, *arguments) == expected


@pytest.mark.parametrize("machine", ARCH)
def test_a_foreign_entry_kills(machine: str) -> None:
    assert verdict(machine, (), 0, arch=0x40000003) == KILL


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program("riscv64", ())


@pytest.mark.parametrize(
    ("machine", "call", "mode"),
    [
        *(("x86_64", *each) for each in ((90, 1), (91, 1), (268, 2), (85, 1), (133, 1), (259, 2), (452, 2))),
        *(("aarch64", *each) for each in ((52, 1), (53, 2), (33, 2), (452, 2))),
    ],
)
def test_no_call_sets_a_set_id_bit(machine: str, call: int, mode: int) -> None:
    before = [7] * mode
    assert verdict(machine, (), call, *before, 0o100755) == ALLOW
    for bits in (0o4755, 0o2755, 0o102755):
        assert verdict(machine, (), call, *before, bits) == EPERM


@pytest.mark.parametrize(("machine", "call", "at"), [("x86_64", 2, 1), ("x86_64", 257, 2), ("aarch64", 56, 2)])
def test_nor_does_an_open_but_without_creating_its_mode_says_nothing(machine: str, call: int, at: int) -> None:
    before = [7] * at
    for flags in (0o101, 0o20200002):
        assert verdict(machine, (), call, *before, flags, 0o644) == ALLOW
        assert verdict(machine, (), call, *before, flags, 0o4644) == EPERM
    assert verdict(machine, (), call, *before, 0o200000, 0o4644) == ALLOW
    assert verdict(machine, (), 437) == ENOSYS


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("families", [(), (2, 10), (1, 16)], ids=str)
def test_every_call_gets_the_answer_that_is_written_for_it_and_all_others_pass(
    machine: str, families: tuple[int, ...]
) -> None:
    denied = {*seccomp._BOTH, *seccomp._DENIED[machine]}
    special = {*seccomp._CALLS[machine].values(), *seccomp._MODES[machine], *seccomp._OPENS[machine]}
    unknown = {*seccomp._WATCHES[machine], seccomp._CLONE3, seccomp._OPENAT2, seccomp._CALLS[machine]["memfd_create"]}
    assert not denied & (special | unknown)
    for call in range(600):
        answer = verdict(machine, families, call)
        if call in denied:
            assert answer == EPERM, call
        elif call in unknown:
            assert answer == ENOSYS, call
        elif call not in special:
            assert answer == ALLOW, call


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_short_enough_for_the_kernel_and_its_jumps(machine: str) -> None:
    assert len(seccomp.program(machine, (1, 2, 10, 16))) < 600
