"""A tree of processes seen from outside: who belongs to it, what memory it holds, how to end it."""

from __future__ import annotations

import os
import stat
import time

from akili_cli.core.sandbox import kernel

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_BLOCK = 512
_SIGKILL = 9
_SWEEP_S = 2.0


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _children(process: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{process}/task")  # noqa: PTH208 - pathlib would cost 5 ms at start
    except OSError:
        return []
    lists = (_read(f"/proc/{process}/task/{thread}/children") for thread in threads)
    return [int(child) for text in lists for child in text.split()]


def descendants(process: int) -> list[int]:
    """List the processes below one, at this moment; never the process itself."""
    found: list[int] = []
    pending = _children(process)
    while pending:
        found.append(pending.pop())
        pending += _children(found[-1])
    return found


def memory_bytes(process: int, limit: int) -> int:
    """Add up what the tree below a process holds; beyond ``limit`` shared pages are counted once."""
    members = descendants(process)
    total = sum(_resident(member) for member in members)
    return total if total <= limit else sum(_proportional(member) for member in members)


def cpu_s(process: int) -> float:
    """Add up the seconds of CPU that a process and the tree below it have used, children that ended included."""
    ticks = 0
    for member in (process, *descendants(process)):
        fields = _read(f"/proc/{member}/stat").rpartition(b")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS_PER_S


def unlinked_bytes(process: int) -> int:
    """Add up the files that the tree below a process holds open although they have no name any more."""
    seen: dict[tuple[int, int], int] = {}
    for member in descendants(process):
        folder = f"/proc/{member}/fd"
        try:
            for name in os.listdir(folder):  # noqa: PTH208 - pathlib would make every fork bigger
                status = os.stat(f"{folder}/{name}")  # noqa: PTH116 - as above
                if status.st_nlink == 0 and stat.S_ISREG(status.st_mode):
                    seen[status.st_dev, status.st_ino] = status.st_blocks * _BLOCK
        except OSError:  # gone meanwhile
            continue
    return sum(seen.values())


def _resident(process: int) -> int:
    fields = _read(f"/proc/{process}/statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _proportional(process: int) -> int:
    for line in _read(f"/proc/{process}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return _resident(process)


def _end(process: int) -> None:
    """Kill one descendant through a pidfd, after making sure that it still is one."""
    try:
        handle = os.pidfd_open(process)
    except OSError:
        return
    try:
        if process in descendants(os.getpid()):
            kernel.send_signal(handle, _SIGKILL)
    except OSError:  # gone meanwhile
        return
    finally:
        os.close(handle)


def sweep() -> int:
    """End everything below this process without a PID namespace; give how many are left after two seconds.

    Needs this process to be a child subreaper. Rounds, because a process can fork while it is looked at. Only
    ever signals single processes that are its own descendants.
    """
    deadline = time.monotonic() + _SWEEP_S
    while time.monotonic() < deadline:
        for process in descendants(os.getpid()):
            _end(process)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return 0
        time.sleep(0.001)
    return len(descendants(os.getpid()))
