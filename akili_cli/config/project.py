"""The project file: what a directory you happen to stand in may say. It may only narrow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from akili_cli.adapters.files.paths import resolve
from akili_cli.adapters.files.yaml import KeyPath, line_of
from akili_cli.config.lines import Problem, children, render_path
from akili_cli.config.settings import Settings
from akili_cli.config.sources import ConfigFile
from akili_cli.domain.decisions import Origin
from akili_cli.domain.errors import ConfigError, InvalidArgumentsError
from akili_cli.domain.nearest import nearest
from akili_cli.domain.paths import is_within

PROJECT_NAMES = ("akili.yaml", "akili.yml", ".akili.yaml", ".akili.yml", "akili.json", ".akili.json")
_LIMITS = frozenset(
    {
        ("agent", "max_iterations"),
        ("agent", "max_steps"),
        ("agent", "max_repeats"),
        ("agent", "max_result_bytes"),
        ("agent", "max_cost_usd"),
        ("memory", "enabled"),
        ("memory", "max_history_messages"),
        ("memory", "max_message_bytes"),
    }
)
_DIRECTORIES = ("runbooks", "directories")
_SECTIONS = frozenset({"agent", "memory", "runbooks"})


def find_project_file(cwd: Path, user_file: Path | None) -> Path | None:
    """Give the project file of a directory, if it has one; raises ``ConfigError`` when it has two."""
    found = [cwd / name for name in PROJECT_NAMES if os.path.lexists(cwd / name)]
    if user_file is not None:
        found = [path for path in found if os.path.realpath(path) != os.path.realpath(user_file)]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ConfigError(f"{cwd}: more than one project file: {names}", hint="keep one")
    return found[0] if found else None


def narrow(file: ConfigFile, base: Settings | None, cwd: Path) -> tuple[dict[KeyPath, object], list[Problem]]:
    """Split a project file into the settings it may make and what is wrong with the others.

    ``base`` holds the values it may only lower; without it nothing is compared.
    """
    taken: dict[KeyPath, object] = {}
    problems: list[Problem] = []
    for path, value in _settings_in(file.data, ()):
        found = list(_problems(path, value, base, cwd))
        problems += found
        if not found:
            taken[path] = value
    return taken, [Problem(p.path, p.what, Origin(file.source, line_of(file.lines, p.path))) for p in problems]


def _problems(path: KeyPath, value: object, base: Settings | None, cwd: Path) -> Iterator[Problem]:
    if path == _DIRECTORIES:
        yield from _outside(value, cwd)
    elif path in _LIMITS:
        current = getattr(getattr(base, str(path[0])), str(path[1])) if base is not None else None
        if current is not None and not _is_lower(value, current):
            yield Problem(path, f"a project file may only lower it (it is {str(current).lower()} now)")
    else:
        allowed = [render_path(limit) for limit in (_DIRECTORIES, *sorted(_LIMITS))]
        near = nearest(render_path(path), allowed)
        yield Problem(path, f"a project file may not set it: it may only narrow, never widen{near}")


def _settings_in(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    for part, child in children(value):
        here = (*path, part)
        if len(here) == 1 and part in _SECTIONS and isinstance(child, Mapping):
            yield from _settings_in(child, here)
        else:
            yield here, child


def _outside(value: object, cwd: Path) -> Iterator[Problem]:
    for index, entry in children(value):
        if isinstance(entry, str) and not _is_inside(entry, cwd):
            yield Problem((*_DIRECTORIES, index), "must be a directory inside the project")


def _is_inside(entry: str, cwd: Path) -> bool:
    try:
        return not entry.startswith(("~", "/")) and is_within(
            resolve(entry, cwd=str(cwd), home="/"), os.path.realpath(cwd)
        )
    except InvalidArgumentsError:
        return False


def _is_lower(value: object, current: object) -> bool:
    if not (isinstance(value, int | float) and isinstance(current, int | float)):
        return False
    return value <= current
