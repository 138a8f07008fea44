"""``git_write``: change a repository without running anything that the repository brings along."""

from __future__ import annotations

import os
import shutil
from typing import ClassVar

from pydantic import Field

from akili_cli.adapters.files.paths import resolve
from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Sandbox
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.git.arguments import MAX_ARGUMENTS
from akili_cli.core.tools.git.repository import Repository, find_repository
from akili_cli.core.tools.git.write_arguments import (
    WRITE_VERBS,
    check_write_arguments,
    check_write_verb,
    is_reversible,
    removed_paths,
)
from akili_cli.core.tools.git.writing import WriteCall, prepare, unwritable
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.errors import InvalidArgumentsError, RefusedError
from akili_cli.domain.risk import Risk

_SANDBOX_PATH = "/usr/local/bin:/usr/bin:/bin"


class GitWriteArgs(ToolArgs):
    """What git is to change."""

    subcommand: str = Field(max_length=40, json_schema_extra={"enum": list(WRITE_VERBS)})
    repo_path: str = Field(min_length=1, max_length=4096, description="a directory of the repository")
    args: list[str] = Field(
        default_factory=list, max_length=MAX_ARGUMENTS, description="options written in full, revisions, paths"
    )


class GitWrite:
    """Change a local repository; its hooks, editors, signing, merge drivers and remotes stay out of it."""

    name: ClassVar[str] = "git_write"
    permission: ClassVar[str] = "git_write"
    summary: ClassVar[str] = (
        "Change a local git repository: add, commit, branch, merge, rebase and the like; no remotes."
    )
    risk: ClassVar[Risk] = Risk.HIGH
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = GitWriteArgs

    def __init__(
        self, sandbox: Sandbox, *, home: str, cwd: str, runs_as: int | None = None, timeout_s: float = 60.0
    ) -> None:
        """Keep where git runs, what ``~`` stands for, and the uid that commands get when it is not akili's own."""
        self._sandbox = sandbox
        self._home = home
        self._cwd = cwd
        self._runs_as = runs_as
        self._timeout_s = timeout_s

    def effects(self, args: GitWriteArgs) -> Effects:
        """Declare the work tree and the git directories as written, and the git command as asked for.

        Raises ``InvalidArgumentsError`` for a subcommand, an argument or a repository that is not accepted.
        """
        path, repository, passed, call = self._look(args)
        return _effects(args.subcommand, path, repository, passed, call)

    async def run(self, args: GitWriteArgs, permit: Permit) -> ToolOutput:
        """Run git in the sandbox; what git complains about is ``ok=False``.

        Raises ``RefusedError`` when the repository has come to lead elsewhere since it was ruled on.
        """
        path, repository, passed, call = self._look(args)
        now, ruled = _effects(args.subcommand, path, repository, passed, call), permit.effects
        covered = set(now.reads) <= set(ruled.reads) and set(now.writes) <= set(ruled.writes)
        if not covered or not set(now.deletes) <= set(ruled.deletes) or (ruled.reversible and not now.reversible):
            raise RefusedError("the permit does not cover what this call would now do", hint="ask again")
        if now.commands[0].path is None:
            return ToolOutput("git is not installed where commands run", ok=False)
        request = ExecRequest(call.argv, timeout_s=self._timeout_s, cwd=path, env=call.env)
        return _output(args.subcommand, repository, await self._sandbox.run(request, permit))

    def _look(self, args: GitWriteArgs) -> tuple[str, Repository, tuple[str, ...], WriteCall]:
        check_write_verb(args.subcommand)
        path = resolve(args.repo_path, cwd=self._cwd, home=self._home)
        try:
            repository = find_repository(path)
            closed = None if self._runs_as is None else unwritable(repository, self._runs_as)
            passed = check_write_arguments(args.subcommand, args.args, top=repository.top, cwd=path)
            call = prepare(repository, args.subcommand, passed)
        except OSError as error:
            raise InvalidArgumentsError(f"{path!r} cannot be looked at: {error.strerror}") from error
        if closed is not None:
            raise InvalidArgumentsError(
                f"commands run as uid {self._runs_as} here, which may not write to {closed!r}",
                hint=f"start akili as the repository's owner, or give the repository to uid {self._runs_as}",
            )
        return path, repository, passed, call


def _effects(subcommand: str, path: str, repository: Repository, passed: tuple[str, ...], call: WriteCall) -> Effects:
    program = shutil.which("git", path=_SANDBOX_PATH)
    command = Command("git", ("git", subcommand, *passed), program and os.path.realpath(program))
    return Effects(
        reads=call.reads,
        writes=call.writes,
        deletes=removed_paths(subcommand, passed, top=repository.top, cwd=path),
        commands=(command,),
        reversible=is_reversible(subcommand, passed, path),
    )


def _output(subcommand: str, repository: Repository, done: ExecResult) -> ToolOutput:
    notes = []
    if done.truncated:
        notes.append("[cut: the middle of the output is missing]")
    if done.timed_out:
        notes.append(f"[git was stopped after {done.duration_s:.0f} s; look at git_read status]")
    elif done.exit_code:
        notes.append(f"[exit code {done.exit_code}]")
    texts = [part.decode("utf-8", "replace").rstrip("\n") for part in (done.stdout, done.stderr)]
    return ToolOutput(
        "\n".join(text for text in (*texts, *notes) if text) or "[done, no output]",
        ok=done.exit_code == 0 and not done.timed_out,
        metadata={
            "subcommand": subcommand,
            "exit_code": done.exit_code,
            "duration": done.duration_s,
            "repository": repository.top,
            "layers": list(done.layers),
        },
        untrusted=f"git {repository.top}",
        timed_out=done.timed_out,
    )
