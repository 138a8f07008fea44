"""Finds the part of cgroup v2 that akili was given, if it was, and makes room in it for commands.

What is given is the control group that akili runs in, where it may be changed by who akili is and is meant to be: by
ownership for an ordinary user, by systemd's mark or a container's own namespace for root. No process may sit beside
groups with limits, so akili itself moves down into one of its own::

    the group akili was started in          delegated, no process left in it
      akili-<random>                        locked by this akili; swept by the next one
        operator                            akili and its zygotes
        <zygote>-<number>                   one command
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from akili_cli.core.sandbox import cgroup
from akili_cli.core.sandbox.settings import SandboxSettings

FIX = (
    "start akili in a control group that is delegated to it: `systemd-run --user --scope -p Delegate=yes akili ...`, "
    "as root without --user, in a unit with Delegate=yes"
)
NEEDED, WELCOME = ("memory", "pids"), ("cpu",)
_PREFIX, _OPERATOR = "akili-", "operator"
_MARKS = ("user.delegate", "trusted.delegate")
_SUPERVISORS = 3
_SUPERVISOR_BYTES = 16 << 20
_PERIOD_US = 100_000
_OCTAL = re.compile(r"\\([0-7]{3})")
_KILLED_S = 1.0


class NotDelegatedError(Exception):
    """There is nothing to use; the text says why."""


@dataclass(frozen=True, slots=True)
class Room:
    """Where groups of commands go, and which controllers they have."""

    path: Path
    controllers: tuple[str, ...]

    def limits(self, settings: SandboxSettings) -> dict[str, str]:
        """Write the limits of one command, by control file; those of controllers that are not there are left out."""
        files = {
            "memory.max": str((settings.max_memory_mb << 20) + _SUPERVISOR_BYTES),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": str(settings.max_processes + _SUPERVISORS),
        }
        if settings.max_cpu_cores:
            files["cpu.max"] = f"{settings.max_cpu_cores * _PERIOD_US} {_PERIOD_US}"
        return {name: value for name, value in files.items() if name.partition(".")[0] in self.controllers}


def make_room(
    proc: Path = Path("/proc"), *, needed: tuple[str, ...] = NEEDED, welcome: tuple[str, ...] = WELCOME
) -> Room:
    """Find or make the room of this process. Raises ``NotDelegatedError``.

    The process moves: it and everything it starts from now on are in a group of their own.
    """
    own = _own_group(proc)
    if own.name == _OPERATOR and own.parent.name.startswith(_PREFIX):
        return Room(own.parent, _offered(own.parent, needed, welcome))
    controllers = _offered(own, needed, welcome)
    _check_given(own)
    try:
        _sweep(own)
        return Room(_moved(own, controllers), controllers)
    except OSError as error:
        raise NotDelegatedError(f"{own} cannot be used: {error.strerror}") from error


def _own_group(proc: Path) -> Path:
    try:
        membership = (proc / "self/cgroup").read_text("utf-8", "surrogateescape")
        mounts = (proc / "self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise NotDelegatedError(f"/proc does not say which control group this is: {error.strerror}") from error
    name = next((line[3:] for line in membership.splitlines() if line.startswith("0::")), None)
    if name is None:
        raise NotDelegatedError("this machine has no cgroup v2")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if not after.startswith("cgroup2 ") or len(fields) < 6:
            continue
        root, place = (_OCTAL.sub(lambda found: chr(int(found[1], 8)), field) for field in fields[3:5])
        inside = name.removeprefix(root.rstrip("/")) if name.startswith(root) else None
        if inside is not None and ".." not in name:
            return Path(place + inside.rstrip("/"))
    raise NotDelegatedError("cgroup v2 is not mounted where akili can see its own group")


def _offered(group: Path, needed: Iterable[str], welcome: Iterable[str]) -> tuple[str, ...]:
    try:
        offered = (group / "cgroup.controllers").read_text().split()
    except OSError as error:
        raise NotDelegatedError(f"{group} cannot be read: {error.strerror}") from error
    if missing := [name for name in needed if name not in offered]:
        raise NotDelegatedError(f"{group} has no {' and no '.join(missing)} controller")
    return (*needed, *(name for name in welcome if name in offered))


def _check_given(group: Path) -> None:
    """Raise unless the group is akili's to divide, and nobody else is in it."""
    if not (group / "cgroup.kill").exists():
        raise NotDelegatedError(f"{group} cannot be ended as a whole: that needs Linux 5.14, and not to be the top")
    for name in ("", "cgroup.procs", "cgroup.subtree_control"):
        if not os.access(group / name, os.W_OK):
            raise NotDelegatedError(f"{group} is not delegated to uid {os.geteuid()}")
    if os.geteuid() == 0 and not _is_marked(group) and not _is_namespace_root(group):
        raise NotDelegatedError(f"{group} is not delegated: it belongs to who manages this machine")
    others = [word for word in (group / "cgroup.procs").read_text().split() if int(word) not in _family()]
    if others:
        raise NotDelegatedError(
            f"{group} holds other processes (as {', '.join(others[:3])}), which akili does not move"
        )


def _family() -> set[int]:
    """This process, and its children, which are zygotes that come along."""
    return {os.getpid(), *map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())}


def _is_marked(group: Path) -> bool:
    for mark in _MARKS:
        with contextlib.suppress(OSError):
            if os.getxattr(group, mark) == b"1":
                return True
    return False


def _is_namespace_root(group: Path) -> bool:
    """Tell whether this is the topmost group a container sees; only the machine's own top has no type."""
    return not (group.parent / "cgroup.procs").exists() and (group / "cgroup.type").exists()


def _moved(own: Path, controllers: tuple[str, ...]) -> Path:
    room = own / f"{_PREFIX}{secrets.token_hex(8)}"
    operator = room / _OPERATOR
    room.mkdir(mode=0o755)
    _lock(room)
    operator.mkdir(mode=0o755)
    enabled = " ".join(f"+{name}" for name in controllers)
    try:
        cgroup.write(f"{operator}/cgroup.procs", str(os.getpid()))
        for process in _family() - {os.getpid()}:
            cgroup.write(f"{operator}/cgroup.procs", str(process))
        for group in (own, room):
            cgroup.write(f"{group}/cgroup.subtree_control", enabled)
    except OSError:
        with contextlib.suppress(OSError):
            cgroup.write(f"{own}/cgroup.procs", str(os.getpid()))
        for group in (operator, room):
            cgroup.remove(str(group))
        raise
    return room


_held: list[int] = []  # locks that last as long as this process


def _lock(room: Path) -> None:
    descriptor = os.open(room, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _held.append(descriptor)


def _sweep(own: Path) -> None:
    """End and remove what akilis that died left behind."""
    for room in own.glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(room, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _clear(room)
        except OSError:  # somebody's, or not empty yet: the next start tries again
            continue
        finally:
            os.close(descriptor)


def _clear(room: Path) -> None:
    with contextlib.suppress(OSError):
        cgroup.write(f"{room}/cgroup.kill", "1")
    deadline = time.monotonic() + _KILLED_S
    for group in _below(room):
        while not cgroup.remove(str(group)) and time.monotonic() < deadline:
            time.sleep(0.01)


def _below(room: Path) -> Iterator[Path]:
    """Give a group and those in it, innermost first."""
    for path, _, _ in os.walk(room, topdown=False):
        yield Path(path)
