"""A repository with everything that changes it and undoes that again, as one thing to test with."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from akili_cli.core.tools.builtin.git_restore import GitRestore, GitRestoreArgs
from akili_cli.core.tools.builtin.git_write import GitWrite, GitWriteArgs
from akili_cli.core.undo.journal import Journal
from akili_cli.core.undo.model import UndoEntry
from akili_cli.domain.calls import ToolOutput
from tests.fakes.permits import permit_for
from tests.fakes.repositories import git
from tests.fakes.sandbox import PlainSandbox


class Bench:
    """A repository with one who changes it, one who restores it, and the journal between them."""

    def __init__(self, repo: Path, journal: Journal) -> None:
        self.repo = repo
        self.journal = journal
        self.writer = GitWrite(PlainSandbox(), journal.repositories, home="/", cwd="/")
        self.restorer = GitRestore(journal.repositories)

    async def change(self, subcommand: str, *args: str, where: str = "") -> ToolOutput:
        asked = GitWriteArgs(subcommand=subcommand, repo_path=str(self.repo / where), args=list(args))
        return await self.writer.run(asked, permit_for(self.writer.effects(asked), tool="git_write"))

    async def last(self) -> UndoEntry:
        entry = await self.journal.newest("tester")
        assert entry is not None
        return entry

    def args(self, undone: UndoEntry, **other: str) -> GitRestoreArgs:
        said = {"entry": undone.id, "repo_path": undone.path, "current": undone.after, "earlier": undone.before}
        return GitRestoreArgs(**{**said, **other})  # type: ignore[arg-type] # texts

    async def restore(self, undone: UndoEntry, **other: str) -> ToolOutput:
        args = self.args(undone, **other)
        return await self.restorer.run(args, permit_for(self.restorer.effects(args), tool="git_restore"))

    async def undo_of(self, entry: UndoEntry) -> UndoEntry:
        (found,) = [e for e in await self.journal.listing("tester") if e.undo_of == entry.id]
        return found

    def state(self) -> dict[str, object]:
        """Give what a person sees of a repository, and every file of the work tree."""
        return {
            "status": git(self.repo, "status", "--porcelain=v2", "-b", "--show-stash", "-uall", "--ignored"),
            "references": git(self.repo, "for-each-ref"),
            "head": git(self.repo, "rev-parse", "HEAD", check=False) + git(self.repo, "branch", "--show-current"),
            "index": git(self.repo, "ls-files", "--stage", "-t"),
            "stash": git(self.repo, "stash", "list"),
            "files": files_of(self.repo),
        }


def files_of(repo: Path) -> dict[str, tuple[int, str]]:
    found = {}
    for path in sorted(repo.rglob("*")):
        if ".git" in path.relative_to(repo).parts:
            continue
        content = os.readlink(path) if path.is_symlink() else "" if path.is_dir() else path.read_bytes().hex()
        found[str(path.relative_to(repo))] = (path.lstat().st_mode, hashlib.sha256(content.encode()).hexdigest())
    return found
