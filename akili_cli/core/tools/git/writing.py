"""Under which conditions a repository may be changed, and how git is called so that nothing of its own runs."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator

from akili_cli.core.tools.git.config import parse
from akili_cli.core.tools.git.hardening import NOWHERE, hardened_env, start_of_argv
from akili_cli.core.tools.git.repository import Repository, find_repository, read_text
from akili_cli.core.tools.git.write_arguments import STRATEGIES
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.paths import is_within

NAME, EMAIL = "akili", "akili@localhost"
_FORCED = {
    "core.editor": "true",
    "sequence.editor": "true",
    "commit.gpgsign": "false",
    "tag.gpgsign": "false",
    "tag.forcesignannotated": "false",
    "merge.verifysignatures": "false",
    "rebase.backend": "merge",
    "rebase.instructionformat": "%s",
    "branch.autosetuprebase": "never",
    "branch.autosetupmerge": "true",
    "checkout.workers": "1",
    "checkout.thresholdforparallelism": "100",
    "commit.template": NOWHERE,
    "commit.status": "false",
    "gc.auto": "0",
    "gc.autodetach": "false",
    "maintenance.auto": "false",
    "merge.ff": "true",
    "rerere.enabled": "false",
    "stash.usebuiltin": "true",
    "tag.sort": "refname",
}
_FLAGS = dict.fromkeys(("checkout", "switch", "restore", "reset"), ("--no-recurse-submodules",))
_MERGES = frozenset(("merge", "rebase", "cherry-pick", "stash", "checkout", "switch", "restore"))
_TODO_WORDS = frozenset(
    {
        *("p", "pick", "r", "reword", "e", "edit", "s", "squash", "f", "fixup", "d", "drop", "l", "label"),
        *("t", "reset", "m", "merge", "u", "update-ref", "b", "break", "noop"),
    }
)
_FILTER = re.compile(r"(^|\s)filter\s*=", re.MULTILINE)
_NOT_WRITTEN = frozenset(("hooks", "info", "config", "config.worktree", "description", "branches"))
_MAX_DIRECTORIES = 50_000
_MAX_OWN_FILES = 200_000
_MAX_INNER = 50


def prepare(repository: Repository, subcommand: str, passed: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Check the repository's state and give command line and environment.

    Raises ``InvalidArgumentsError`` when it may not be changed.
    """
    if (
        any(key.startswith("merge.") and key.endswith(".driver") for key in repository.silenced)
        and subcommand in _MERGES
    ):
        raise InvalidArgumentsError(
            "the repository merges with programs of its own, which git_write does not run",
            hint=f"run git {subcommand} yourself",
        )
    if {"pull.twohead", "pull.octopus"} & set(repository.silenced) and subcommand in _MERGES:
        raise InvalidArgumentsError(
            "the repository's config names merge strategies (pull.twohead, pull.octopus), and git would run them",
            hint="remove them from the repository's config",
        )
    if repository.filters or _names_filters(repository):
        raise InvalidArgumentsError(
            "the repository passes content through filters, which git_write does not run: it would store other bytes",
            hint=f"run git {subcommand} yourself",
        )
    _check_links(repository)
    inner = _inner_keys(repository)
    _check_under_way(repository, passed)
    env = hardened_env(repository, forced=_FORCED, silenced=inner)
    env |= {"GIT_EDITOR": "true", "GIT_SEQUENCE_EDITOR": "true", "GIT_MERGE_AUTOEDIT": "no"}
    for key, value in (("name", NAME), ("email", EMAIL)):
        if f"user.{key}" not in repository.kept:
            env |= {f"GIT_AUTHOR_{key.upper()}": value, f"GIT_COMMITTER_{key.upper()}": value}
    return (*start_of_argv(), subcommand, *_FLAGS.get(subcommand, ()), *passed), env


def written_places(repository: Repository) -> tuple[str, ...]:
    """Give the directories that git changes: the work tree, and git directories outside of it."""
    places = dict.fromkeys((repository.top, repository.git_dir, repository.common_dir))
    return tuple(path for path in places if not any(path != other and is_within(path, other) for other in places))


def unwritable(repository: Repository, uid: int) -> str | None:
    """Give the first directory of the repository that a uid without groups may not write to, if any."""
    objects = posixpath.join(repository.common_dir, "objects")
    for path in dict.fromkeys((repository.top, repository.git_dir, repository.common_dir, objects)):
        status = os.stat(path)  # noqa: PTH116 - beside the calls that need a text path
        bits = stat.S_IWUSR | stat.S_IXUSR if status.st_uid == uid else stat.S_IWOTH | stat.S_IXOTH
        if status.st_mode & bits != bits:
            return path
    return None


def _names_filters(repository: Repository) -> bool:
    files = (f"{repository.top}/.gitattributes", f"{repository.common_dir}/info/attributes")
    return any(_FILTER.search(read_text(file) or "") for file in files)


def _check_links(repository: Repository) -> None:
    """Git writes through links among its own files: those may not lead out of the repository."""
    places = written_places(repository)
    for number, path in enumerate(_own_files(repository)):
        if number > _MAX_OWN_FILES:
            raise InvalidArgumentsError(f"git's own files are more than {_MAX_OWN_FILES}; they are not checked")
        if os.path.islink(path):  # noqa: PTH114 - beside the calls that need a text path
            target = os.path.realpath(path)
            if not any(is_within(target, place) for place in places):
                raise InvalidArgumentsError(f"{path!r} is a link to {target!r}, outside of the repository")


def _own_files(repository: Repository) -> Iterator[str]:
    for directory in dict.fromkeys((repository.git_dir, repository.common_dir)):
        yield from (f"{directory}/{name}" for name in os.listdir(directory) if name not in _NOT_WRITTEN)  # noqa: PTH208 - as above
        for root in ("refs", "logs", "rebase-merge", "sequencer"):
            for where, directories, files in os.walk(f"{directory}/{root}"):
                yield from (posixpath.join(where, name) for name in (*directories, *files))


def _check_under_way(repository: Repository, passed: tuple[str, ...]) -> None:
    """What is under way goes on with notes from the repository, and those can name programs to run."""
    if not {"--continue", "--skip"} & set(passed):
        return
    notes = f"{repository.git_dir}/rebase-merge"
    for name in ("git-rebase-todo", "git-rebase-todo.backup"):
        for line in (read_text(f"{notes}/{name}") or "").splitlines():
            words = line.split()
            if words and not words[0].startswith("#") and words[0] not in _TODO_WORDS:
                raise _would_run(line)
    options = parse(read_text(f"{repository.git_dir}/sequencer/opts") or "")
    strategies = [option.value or "" for option in options if option.key == "options.strategy"]
    strategies.append((read_text(f"{notes}/strategy") or "").strip())
    for strategy in strategies:
        if strategy and not re.fullmatch(STRATEGIES, strategy):
            raise _would_run(strategy)


def _would_run(what: str) -> InvalidArgumentsError:
    return InvalidArgumentsError(f"what is under way would run {what[:80]!r}", hint="end it with --abort or --quit")


def _inner_keys(repository: Repository) -> tuple[str, ...]:
    """Give the keys to silence for repositories inside the work tree, which git looks into on its own."""
    keys: dict[str, None] = {}
    for number, path in enumerate(_inner(repository.top)):
        if number == _MAX_INNER:
            raise InvalidArgumentsError(f"there are more than {_MAX_INNER} repositories inside the repository")
        inside = find_repository(path)
        if inside.filters:
            raise InvalidArgumentsError(f"the repository in {path} has content filters, which are not run")
        keys.update(dict.fromkeys(inside.silenced))
    return tuple(keys)


def _inner(top: str) -> Iterator[str]:
    waiting, seen = [top], 0
    while waiting:
        directory = waiting.pop()
        seen += 1
        if seen > _MAX_DIRECTORIES:
            raise InvalidArgumentsError(
                f"the work tree has more than {_MAX_DIRECTORIES} directories; it is not checked"
            )
        try:
            entries = list(os.scandir(directory))
        except OSError:
            continue
        for entry in entries:
            if entry.name.lower() == ".git":
                if directory != top:
                    yield directory
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
