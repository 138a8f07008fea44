"""One command's control group: its limits are set before anything can be in it, and it ends as a whole.

Only reads and writes files, as the kernel's cgroup v2 has them, below a directory that akili was given.
"""

from __future__ import annotations

import contextlib
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ENDING_S = 2.0
_PAUSE_S = 0.001


class Group:
    """A group that was just made; it belongs to whoever made it until ``remove`` says that it is gone."""

    def __init__(self, path: str, limits: Mapping[str, str]) -> None:
        """Make it and set its limits, by file name. Raises ``OSError``, and then there is none."""
        self.path = path
        self._procs = -1
        os.mkdir(path, 0o755)  # noqa: PTH102 - pathlib would make every fork bigger
        try:
            for name, value in limits.items():
                self._write(name, value)
            # opened here: who may move a process is judged by who opened the file
            self._procs = os.open(f"{path}/cgroup.procs", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            self.remove()
            raise

    @property
    def door(self) -> int:
        """The descriptor that ``enter`` writes to: forks must keep it open."""
        return self._procs

    def enter(self) -> None:
        """Move the calling process into it; what it starts from now on is born there. Raises ``OSError``."""
        os.write(self._procs, b"0")

    def kill(self) -> None:
        """End every process in it at once, whatever they fork meanwhile; ``left`` tells whether that worked."""
        with contextlib.suppress(OSError):
            self._write("cgroup.kill", "1")

    def left(self) -> int:
        """Wait for processes that were ended to be gone; give how many are still there after two seconds."""
        deadline = time.monotonic() + _ENDING_S
        while self._is_populated() and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        return len(self._read("cgroup.procs").split()) if self._is_populated() else 0

    def is_out_of_memory(self) -> bool:
        """Tell whether the kernel ended something in it for want of memory."""
        return any(line.startswith(b"oom_kill ") and line != b"oom_kill 0" for line in self._lines("memory.events"))

    def remove(self) -> bool:
        """Remove it; tell whether it is gone."""
        self.close()
        return remove(self.path)

    def close(self) -> None:
        """Let go of the way in."""
        if self._procs >= 0:
            os.close(self._procs)
            self._procs = -1

    def _is_populated(self) -> bool:
        return b"populated 1" in self._lines("cgroup.events")

    def _lines(self, name: str) -> list[bytes]:
        return self._read(name).splitlines()

    def _read(self, name: str) -> bytes:
        try:
            descriptor = os.open(f"{self.path}/{name}", os.O_RDONLY)
        except OSError:  # a controller that is not there
            return b""
        try:
            return os.read(descriptor, 1 << 16)
        finally:
            os.close(descriptor)

    def _write(self, name: str, value: str) -> None:
        write(f"{self.path}/{name}", value)


def write(path: str, value: str) -> None:
    """Write to a control file; in cgroupfs none can be created, so one that is missing is an ``OSError``."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def remove(path: str) -> bool:
    """Remove a group without processes; tell whether it is gone."""
    try:
        os.rmdir(path)  # noqa: PTH106 - as above
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
