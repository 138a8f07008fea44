"""Which places a ``git_write`` command may change: what undo has to keep beforehand."""

from __future__ import annotations

import posixpath
import re

from akili_cli.core.tools.git.repository import Repository
from akili_cli.core.tools.git.write_arguments import name_of
from akili_cli.domain.images import RepositoryPlaces

_GLOB = re.compile(r"[*?\[\\]|^:")
_ONLY_STATE = frozenset(("add", "commit", "branch", "tag"))
_ON_PATHS = frozenset(("rm", "mv", "restore"))
_TO_WORK_TREE = frozenset(("-W", "--worktree", "-SW"))
_TO_INDEX = frozenset(("-S", "--staged"))
_STASH_ONLY = frozenset(("list", "drop", "clear"))
_HARD = frozenset(("--hard", "--merge", "--keep"))


def places_of(repository: Repository, subcommand: str, passed: tuple[str, ...], cwd: str) -> RepositoryPlaces:
    """Give the places for arguments that passed ``check_write_arguments``; in doubt the whole work tree."""
    work = _work(subcommand, passed, repository.top, cwd)
    inner = bool(work) and subcommand in ("rm", "mv")  # git takes submodules along
    if inner and work != (repository.top,):
        work = (*work, f"{repository.top}/.gitmodules")
    return RepositoryPlaces(repository.top, repository.git_dir, repository.common_dir, work, inner)


def _work(subcommand: str, passed: tuple[str, ...], top: str, cwd: str) -> tuple[str, ...]:
    names = {name_of(arg) for arg in passed}
    untouched = (
        subcommand in _ONLY_STATE
        or (subcommand == "reset" and not names & _HARD)
        or (subcommand == "rm" and "--cached" in names)
        or (subcommand == "restore" and names & _TO_INDEX and not names & _TO_WORK_TREE)
        or (subcommand == "stash" and passed[0] in _STASH_ONLY)
    )
    if untouched:
        return ()
    cut = passed.index("--") if "--" in passed else None
    if subcommand in _ON_PATHS:
        before = passed if cut is None else passed[:cut]
        paths = [arg for arg in before if not arg.startswith("-")] + ([] if cut is None else [*passed[cut + 1 :]])
    elif subcommand == "checkout" and cut is not None:
        paths = [*passed[cut + 1 :]]
    else:
        return (top,)
    full = [posixpath.normpath(posixpath.join(cwd, path)) for path in paths if not _GLOB.search(path)]
    return tuple(dict.fromkeys(full)) if paths and len(full) == len(paths) else (top,)
