"""Git repositories a command may write to: their hooks and configuration, which run later as whoever uses them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_MAX_DEPTH = 4
_MAX_DIRECTORIES = 2000
_GUARDED = ("hooks", "config", "config.worktree", "commondir")
_REDIRECT = "commondir"


@dataclass(frozen=True, slots=True)
class Repositories:
    """What is to be guarded.

    ``pinned`` paths must not be renamed, ``frozen`` ones not change at all; of ``redirectable`` directories the
    file that points git to somebody else's configuration must not appear.
    """

    pinned: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    redirectable: tuple[str, ...] = ()

    def undo_redirects(self) -> list[str]:
        """Remove pointers that appeared; give where."""
        undone = []
        for directory in self.redirectable:
            pointer = Path(directory, _REDIRECT)
            with contextlib.suppress(OSError):
                pointer.unlink()
                undone.append(str(pointer))
        return undone


def repositories_below(roots: Iterable[str]) -> Repositories:
    """Find repositories in writable directories, four levels deep; a missing hooks directory is made, to be frozen."""
    pinned: list[str] = []
    frozen: list[str] = []
    redirectable: list[str] = []
    for root in roots:
        for found in _found(Path(root)):
            pinned += [
                str(each) for each in reversed(found.parents) if each.is_relative_to(root) and each != Path(root)
            ]
            if not found.is_dir():  # a worktree or submodule: a file that names the directory
                frozen.append(str(found))
                continue
            pinned += [str(found)] if found != Path(root) else []
            for directory in (found, *_submodules(found / "modules")):
                frozen += _freezable(directory)
                if not (directory / _REDIRECT).exists():
                    redirectable.append(str(directory))
    return Repositories(*(tuple(dict.fromkeys(paths)) for paths in (pinned, frozen, redirectable)))


def _found(root: Path) -> Iterator[Path]:
    if root.name == ".git":
        yield root
        return
    pending, looked = [(root, 0)], 0
    while pending and looked < _MAX_DIRECTORIES:
        directory, depth = pending.pop()
        looked += 1
        for child in _entries(directory):
            if child.name == ".git":
                yield child
            elif depth < _MAX_DEPTH and _is_directory(child):
                pending.append((child, depth + 1))


def _submodules(top: Path) -> Iterator[Path]:
    pending, looked = [top], 0
    while pending and looked < _MAX_DIRECTORIES:
        directory = pending.pop()
        looked += 1
        if (directory / "HEAD").exists():
            yield directory
            directory = directory / "modules"
        pending += [child for child in _entries(directory) if _is_directory(child)]


def _freezable(directory: Path) -> list[str]:
    with contextlib.suppress(OSError):
        (directory / "hooks").mkdir(exist_ok=True)
    paths = [directory / name for name in _GUARDED]
    return [str(path) for path in paths if path.exists() and not path.is_symlink()]


def _entries(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as found:
            return [Path(entry.path) for entry in found if not entry.is_symlink()]
    except OSError:
        return []


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
