"""Which permitted changes need rights that the command's uid does not have, and in which way it gets them.

Akili as root starts commands under another uid. What that uid may change anyway needs nothing. Of the rest, a
directory that is granted as a whole is mounted for its owner; a file to be created, replaced, changed or deleted is
staged: the command works in a directory of its own, from which the permitted names are carried over.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from akili_cli.domain.paths import is_within

_KERNELS_OWN = ("/proc", "/sys", "/dev")


@dataclass(frozen=True, slots=True)
class Stage:
    """A directory in which names may change, relative to it; ``copied`` ones are files that are there now."""

    path: str
    written: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Foreign:
    """What is somebody else's: directories to mount for their owner, and directories with names to carry over."""

    mapped: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything of the kind."""
        return bool(self.mapped or self.stages)

    @property
    def names(self) -> frozenset[str]:
        """The staged paths, absolute."""
        return frozenset(f"{stage.path}/{name}" for stage in self.stages for name in (*stage.written, *stage.deleted))


def foreign_changes(effects: Effects, uid: int) -> Foreign:
    """Sort a permit's changes, for a command that runs as ``uid`` but whose permit is that of its owner.

    Raises ``SandboxError`` for a directory to be deleted: nothing here can do exactly that.
    """
    every = dict.fromkeys((*effects.writes, *effects.deletes))
    changed = [path for path in every if not any(is_within(path, root) for root in _KERNELS_OWN)]
    whole = [path for path in changed if path in effects.writes and stat.S_ISDIR(_mode(path))]
    mapped = [path for path in whole if _is_closed(path, uid)]
    single = [path for path in changed if not any(is_within(path, root) for root in whole)]
    staged: dict[str, list[str]] = {}
    for path in single:
        directory, kind = _nearest(path), _mode(path)
        if kind and path in effects.deletes and stat.S_ISDIR(kind) and _is_closed(directory, uid):
            raise SandboxError(
                f"deleting the directory {path} needs the rights of who owns {directory}",
                hint="permit writing to the directory above it",
            )
        needed = path if kind and path not in effects.deletes else directory
        if (stat.S_ISREG(kind) or not kind) and _is_closed(needed, uid):
            staged.setdefault(directory, []).append(path)
    if "/" in staged:
        raise SandboxError("the file system's root itself cannot be staged", hint="work in a directory below it")
    # outer directories first: the inner ones are mounted in them
    return Foreign(tuple(mapped), tuple(_stage(directory, staged[directory], effects) for directory in sorted(staged)))


def _stage(directory: str, paths: list[str], effects: Effects) -> Stage:
    def named(some: Iterable[str]) -> tuple[str, ...]:
        return tuple(path.removeprefix(directory).lstrip("/") for path in paths if path in some)

    return Stage(
        directory, named(effects.writes), named(effects.deletes), named([path for path in paths if _mode(path)])
    )


def _nearest(path: str) -> str:
    """Give the nearest directory above a path that exists."""
    place = Path(path).parent
    while not os.path.lexists(place):
        place = place.parent
    return str(place)


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def _is_closed(path: str, uid: int) -> bool:
    """Tell whether a uid without groups, that owns nothing here, may not change a file, or names in a directory."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    needed = stat.S_IWOTH | stat.S_IXOTH if stat.S_ISDIR(found.st_mode) else stat.S_IWOTH
    return found.st_uid != uid and found.st_mode & needed != needed
