"""Where each setting was written, and how that is said: ``file:line: path: what``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from akili_cli.adapters.files.yaml import KeyPath, Lines, line_of
from akili_cli.domain.decisions import Origin

if TYPE_CHECKING:
    from akili_cli.config.settings import Settings

DEFAULT = Origin("default")


def render_path(path: KeyPath) -> str:
    """Write a key path as ``policies.rules[0].id``; what could be misread is put in quotes."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            plain = part != "" and all(c.isalnum() or c in "_-@*" for c in part)
            out += ("." if out else "") + (part if plain else repr(part[:80]))
    return out or "(the whole file)"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one key; ``origin`` is looked up by path unless it is given."""

    path: KeyPath
    what: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Origins:
    """Where each value came from; what was not written anywhere is ``default``."""

    by_path: Mapping[KeyPath, Origin] = field(default_factory=dict)

    def at(self, path: KeyPath) -> Origin:
        """Give the origin of a key path, or of the nearest thing around it."""
        for length in range(len(path), 0, -1):
            origin = self.by_path.get(path[:length])
            if origin is not None:
                return origin
        return DEFAULT

    def of(self, text: str) -> Origin:
        """Give the origin of a path in its written form (``security.roles.operator.max_risk_level``)."""
        for path in self.by_path:
            if render_path(path) == text:
                return self.by_path[path]
        parent = text.rpartition("[")[0] if text.endswith("]") else text.rpartition(".")[0]
        return self.of(parent) if parent else DEFAULT


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings with where each came from.

    ``files`` are the config files that were read, ``task_dirs`` the absolute directories of heartbeat tasks: who can
    write in either could make akili act for anybody, so no tool may touch them.
    """

    settings: Settings
    origins: Origins
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    task_dirs: tuple[Path, ...] = ()

    @property
    def own_places(self) -> tuple[Path, ...]:
        """Give what is protected beside the workspace."""
        return (*self.files, *self.task_dirs)


def origins_in(value: object, lines: Lines, source: str, path: KeyPath = ()) -> dict[KeyPath, Origin]:
    """Give the origin of every key and item of a file's data."""
    out: dict[KeyPath, Origin] = {}
    if path:
        out[path] = Origin(source, line_of(lines, path))
    for part, child in children(value):
        out |= origins_in(child, lines, source, (*path, part))
    return out


def children(value: object) -> Iterable[tuple[str | int, object]]:
    """Give the keys or indices of a mapping or list with their values; nothing for a scalar."""
    if isinstance(value, Mapping):
        return tuple(value.items())
    if isinstance(value, list | tuple):
        return tuple(enumerate(value))
    return ()
