"""Finds the repository a path lies in, without running anything, and all that git would read for it."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from akili_cli.adapters.files.paths import list_beneath, open_beneath, resolve
from akili_cli.core.tools.git.config import is_kept, parse
from akili_cli.domain.errors import InvalidArgumentsError, NotFoundError, ToolFailedError
from akili_cli.domain.paths import is_within

_MAX_META_BYTES = 1_048_576
_MAX_INCLUDES = 20
_MAX_ALTERNATES = 50
_MAX_SILENCED_BYTES = 65_536  # they travel in the environment, which has a limit
_LINKED = ("", "info", "objects", "objects/info", "objects/pack", "refs", "logs")


@dataclass(frozen=True, slots=True)
class Repository:
    """A work tree and the directories behind it, all resolved.

    ``reads`` is everything git opens for it: shared, linked, borrowed and included places too.
    ``silenced`` are the keys its config sets that are not known to be harmless; ``filters`` says that
    content filters are among them. ``kept`` are the keys it sets that are left alone.
    """

    top: str
    git_dir: str
    common_dir: str
    reads: tuple[str, ...]
    silenced: tuple[str, ...]
    kept: frozenset[str] = frozenset()

    @property
    def filters(self) -> bool:
        """Whether the repository defines content filters, which are not run."""
        return any(key.startswith("filter.") for key in self.silenced)


def find_repository(path: str) -> Repository:
    """Give the repository whose work tree holds an absolute, resolved directory.

    Raises ``InvalidArgumentsError`` when there is none or its files are not understood.
    """
    if not Path(path).is_dir():
        raise InvalidArgumentsError(f"repo_path {path!r} is not a directory")
    top, git_dir = _locate(path)
    common_dir = _pointed(git_dir, "commondir") or git_dir
    if not _is_git_dir(git_dir, common_dir):
        raise InvalidArgumentsError(f"{top}/.git does not lead to a git repository")
    if is_within(path, git_dir) or is_within(path, common_dir):
        raise InvalidArgumentsError(f"repo_path {path!r} lies inside a git directory", hint="give the work tree")
    files, silenced, kept = _config(git_dir, common_dir)
    reads = [top, git_dir, common_dir, *files, *_alternates(common_dir)]
    for directory in dict.fromkeys((git_dir, common_dir)):
        reads += _links(directory)
    return Repository(top, git_dir, common_dir, _outermost(reads), silenced, kept)


def _locate(path: str) -> tuple[str, str]:
    """Walk up as git does: the first ``.git`` that is a repository, or a file that points to one."""
    top = path
    while True:
        dot_git = posixpath.join(top, ".git")
        real = os.path.realpath(dot_git)
        if Path(real).is_dir():
            if _is_git_dir(real, _pointed(real, "commondir") or real):
                return top, _utf8(real)
        elif Path(real).is_file():
            return top, _from_file(real, top)
        if top == "/":
            raise InvalidArgumentsError(
                f"repo_path {path!r} is not inside a git work tree", hint="give a directory of a repository"
            )
        top = posixpath.dirname(top)


def _from_file(file: str, top: str) -> str:
    text = read_text(file) or ""
    if not text.startswith("gitdir: "):
        raise InvalidArgumentsError(f"{top}/.git is a file that git does not understand")
    return _join(top, text.removeprefix("gitdir: ").rstrip("\r\n"))


def _pointed(directory: str, name: str) -> str | None:
    text = read_text(posixpath.join(directory, name))
    return None if text is None else _join(directory, text.rstrip("\r\n"))


def _is_git_dir(git_dir: str, common_dir: str) -> bool:
    return (
        os.path.lexists(posixpath.join(git_dir, "HEAD"))
        and Path(common_dir, "objects").is_dir()
        and Path(common_dir, "refs").is_dir()
    )


def _config(git_dir: str, common_dir: str) -> tuple[list[str], tuple[str, ...], frozenset[str]]:
    """Read the config and all it includes, conditions taken as met: a key named twice does no harm."""
    waiting = [posixpath.join(common_dir, "config"), posixpath.join(git_dir, "config.worktree")]
    seen: list[str] = []
    silenced: dict[str, None] = {}
    kept: set[str] = set()
    while waiting:
        file = waiting.pop(0)
        real = _utf8(os.path.realpath(file))
        if real in seen:
            continue
        if len(seen) == _MAX_INCLUDES:
            raise InvalidArgumentsError(f"the repository's config includes more than {_MAX_INCLUDES} files")
        seen.append(real)
        for setting in parse(read_text(real) or ""):
            if is_kept(setting.key):
                kept.add(setting.key)
                continue
            if not _is_include(setting.key):
                silenced[setting.key] = None
            elif setting.value:
                waiting.append(_included(posixpath.dirname(file), setting.value))
        if sum(len(key) for key in silenced) > _MAX_SILENCED_BYTES:
            raise InvalidArgumentsError("the repository's config sets more than can be switched off")
    return seen, tuple(silenced), frozenset(kept)


def _is_include(key: str) -> bool:
    return key == "include.path" or (key.startswith("includeif.") and key.endswith(".path"))


def _included(directory: str, value: str) -> str:
    if value.startswith(("~", "%(")):
        raise InvalidArgumentsError(
            f"the repository's config includes {value!r}, which stands for a place of the user or of git",
            hint="write the absolute path in the repository's config",
        )
    if {"\t", "\r", "\n"} & set(value):
        raise InvalidArgumentsError("the repository's config includes a path that git versions read differently")
    return posixpath.join(directory, value)


def _alternates(common_dir: str) -> list[str]:
    """Give the object directories that the repository borrows from, and those they borrow from."""
    waiting = [os.path.realpath(posixpath.join(common_dir, "objects"))]
    seen: list[str] = []
    while waiting:
        objects = waiting.pop(0)
        if objects in seen:
            continue
        if len(seen) == _MAX_ALTERNATES:
            raise InvalidArgumentsError(f"the repository borrows from more than {_MAX_ALTERNATES} places")
        seen.append(_utf8(objects))
        for line in (read_text(posixpath.join(objects, "info", "alternates")) or "").splitlines():
            if line.startswith('"'):
                raise InvalidArgumentsError("the repository's alternates are quoted; that is not supported")
            if line and not line.startswith("#"):
                waiting.append(_join(objects, line))
    return seen


def _links(directory: str) -> Iterator[str]:
    """Give the targets of symlinks that stand where git opens files."""
    for part in _LINKED:
        where = posixpath.join(directory, part).rstrip("/")
        try:
            entries, _ = list_beneath("/", where)
        except (NotFoundError, ToolFailedError):
            continue
        for entry in entries:
            if stat.S_ISLNK(entry.mode):
                yield _utf8(os.path.realpath(posixpath.join(where, entry.name)))


def _outermost(paths: list[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for path in dict.fromkeys(paths):
        if not os.path.lexists(path) or any(is_within(path, other) for other in kept):
            continue
        kept = [other for other in kept if not is_within(other, path)]
        kept.append(path)
    return tuple(kept)


def _join(directory: str, target: str) -> str:
    if not target:
        raise InvalidArgumentsError("a file of the repository points to an empty path")
    return resolve(posixpath.join(directory, target), cwd="/", home="/")


def _utf8(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentsError("a path of the repository is not valid Unicode") from error
    return path


def read_text(path: str) -> str | None:
    """Read a small text of the repository; None when it is missing or no readable file."""
    try:
        fd = open_beneath("/", os.path.realpath(path), os.O_RDONLY)
    except (NotFoundError, ToolFailedError):
        return None
    try:
        with open(fd, "rb") as file:  # noqa: PTH123 - the descriptor is what was checked
            data = file.read(_MAX_META_BYTES + 1)
    except OSError as error:
        raise InvalidArgumentsError(f"{path!r} cannot be read: {error.strerror}") from error
    if len(data) > _MAX_META_BYTES:
        raise InvalidArgumentsError(f"{path!r} is too large to be checked")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgumentsError(f"{path!r} is not UTF-8 text") from error
    if "\0" in text:
        raise InvalidArgumentsError(f"{path!r} holds a NUL character")
    return text
