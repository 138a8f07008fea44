"""Reads the directories of task files, and refuses what somebody else could have written.

A task file says by whose authority akili acts, so write access to it is a privilege: the file and every directory
above it must belong to akili's own user or root, and nobody else may write there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from akili_cli.domain.errors import ConfigError
from akili_cli.features.heartbeats.model import TaskFile
from akili_cli.features.heartbeats.source import MAX_BYTES, parse_file

MAX_FILES = 1000
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in the directories: the files in order, and what is wrong with the directories themselves."""

    files: tuple[TaskFile, ...]
    problems: tuple[str, ...] = ()


def read_folders(directories: Sequence[Path]) -> Found:
    """Read ``*.md`` of each directory, not of those below; a name that begins with a dot is left out.

    A file that cannot be used has no tasks and says why. Two files with one group name: see ``logic.one_per_group``.
    """
    files: dict[str, TaskFile] = {}
    problems: list[str] = []
    for directory in dict.fromkeys(directories):
        try:
            names = sorted(entry.name for entry in os.scandir(directory) if entry.name.endswith(".md"))
        except OSError as error:
            problems.append(f"{_shown(directory)}: cannot be read: {error.strerror}")
            continue
        except ValueError:
            problems.append(f"{_shown(directory)!r}: is no path")
            continue
        shown = [name for name in names if not name.startswith(".")]
        if len(shown) > MAX_FILES:
            problems.append(f"{_shown(directory)}: more than {MAX_FILES} task files; the rest is left out")
        for name in shown[:MAX_FILES]:
            path = directory / name
            files.setdefault(str(path), _read(path))
    return Found(tuple(files.values()), tuple(problems))


def _read(path: Path) -> TaskFile:
    shown = _shown(path)
    try:
        return parse_file(read_trusted(path), path=shown)
    except ConfigError as error:
        return TaskFile(path=shown, problems=(f"{error} ({error.hint})" if error.hint else str(error),))


def _shown(path: Path) -> str:
    """Write a path so that any database and terminal takes it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_file(path: Path) -> bytes:
    """Read a file whoever wrote it, for checking; raises ``ConfigError``."""
    return _bytes(path, _shown(path))[0]


def read_trusted(path: Path) -> bytes:
    """Read a file that only root and akili's own user can have written; raises ``ConfigError`` that says what to do."""
    name = _shown(path)
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{name}: cannot be read: {getattr(error, 'strerror', None) or 'it leads nowhere'}"
        ) from error
    for place in reversed(real.parents):
        try:
            status = place.stat()
        except OSError as error:
            raise ConfigError(f"{name}: {_shown(place)} cannot be looked at: {error.strerror}") from error
        kept_apart = place != real.parent and status.st_mode & stat.S_ISVTX
        _check(f"{name}: the directory {_shown(place)}", status, writable=bool(kept_apart))
    data, status = _bytes(real, name)
    _check(f"{name}: it", status)
    return data


def _check(what: str, status: os.stat_result, *, writable: bool = False) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise ConfigError(
            f"{what} belongs to another user (uid {status.st_uid}), who could make akili act for anybody",
            hint="chown it to the user akili runs as, or to root",
        )
    if status.st_mode & _OTHERS_WRITE and not writable:
        raise ConfigError(
            f"{what} can be written by others (mode {stat.S_IMODE(status.st_mode):04o}), who could make akili act for"
            " anybody",
            hint="chmod go-w",
        )


def _bytes(path: Path, name: str) -> tuple[bytes, os.stat_result]:
    """Read one byte more than is allowed; a pipe or device is refused and not waited for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or 'no path'}") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{name}: is not a regular file")
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1), status
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)
