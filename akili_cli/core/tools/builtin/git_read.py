"""``git_read``: look at a repository without running anything that the repository brings along."""

from __future__ import annotations

import os
import shutil
from typing import ClassVar

from pydantic import Field

from akili_cli.adapters.files.paths import resolve
from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Sandbox
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.git.arguments import MAX_ARGUMENTS, check_arguments, check_subcommand
from akili_cli.core.tools.git.hardening import hardened_argv, hardened_env
from akili_cli.core.tools.git.repository import Repository, find_repository
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.errors import InvalidArgumentsError, RefusedError
from akili_cli.domain.risk import Risk

_SANDBOX_PATH = "/usr/local/bin:/usr/bin:/bin"


class GitReadArgs(ToolArgs):
    """What to ask git."""

    subcommand: str = Field(max_length=40, json_schema_extra={"enum": ["log", "diff", "status", "show", "branch"]})
    repo_path: str = Field(min_length=1, max_length=4096, description="a directory of the repository")
    args: list[str] = Field(
        default_factory=list, max_length=MAX_ARGUMENTS, description="options written in full, revisions, paths"
    )


class GitRead:
    """Show history, differences, state and branches; the repository's hooks, filters and helpers stay off."""

    name: ClassVar[str] = "git_read"
    permission: ClassVar[str] = "git_read"
    summary: ClassVar[str] = "Look at a git repository: log, diff, status, show, branch (list only)."
    risk: ClassVar[Risk] = Risk.LOW
    read_only: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True
    Args: ClassVar[type[ToolArgs]] = GitReadArgs

    def __init__(self, sandbox: Sandbox, *, home: str, cwd: str, timeout_s: float = 30.0) -> None:
        """Keep where git runs, and what ``~`` and relative paths stand for."""
        self._sandbox = sandbox
        self._home = home
        self._cwd = cwd
        self._timeout_s = timeout_s

    def effects(self, args: GitReadArgs) -> Effects:
        """Declare the work tree and every place behind it as read, and the git command as asked for.

        Looks at the repository's files to find those places. Raises ``InvalidArgumentsError`` for a
        subcommand, an argument or a repository that is not accepted.
        """
        _, repository, passed = self._look(args)
        return _effects(args.subcommand, repository, passed)

    async def run(self, args: GitReadArgs, permit: Permit) -> ToolOutput:
        """Run git in the sandbox; what git complains about is ``ok=False``.

        Raises ``RefusedError`` when the repository has come to lead elsewhere since it was ruled on.
        """
        path, repository, passed = self._look(args)
        now = _effects(args.subcommand, repository, passed)
        if not set(now.reads) <= set(permit.effects.reads):
            raise RefusedError("the permit does not cover all that this repository leads to", hint="ask again")
        if now.commands[0].path is None:
            return ToolOutput("git is not installed where commands run", ok=False)
        request = ExecRequest(
            hardened_argv(args.subcommand, passed),
            timeout_s=self._timeout_s,
            cwd=path,
            env=hardened_env(repository),
        )
        return _output(args.subcommand, repository, await self._sandbox.run(request, permit))

    def _look(self, args: GitReadArgs) -> tuple[str, Repository, tuple[str, ...]]:
        check_subcommand(args.subcommand)
        path = resolve(args.repo_path, cwd=self._cwd, home=self._home)
        try:
            repository = find_repository(path)
        except OSError as error:
            raise InvalidArgumentsError(f"{path!r} cannot be looked at: {error.strerror}") from error
        return path, repository, check_arguments(args.subcommand, args.args, top=repository.top, cwd=path)


def _effects(subcommand: str, repository: Repository, passed: tuple[str, ...]) -> Effects:
    program = shutil.which("git", path=_SANDBOX_PATH)
    command = Command("git", ("git", subcommand, *passed), program and os.path.realpath(program))
    return Effects(reads=repository.reads, commands=(command,))


def _output(subcommand: str, repository: Repository, done: ExecResult) -> ToolOutput:
    notes = []
    if done.truncated:
        notes.append("[cut: the middle of the output is missing; narrow the question]")
    if done.timed_out:
        notes.append(f"[git was stopped after {done.duration_s:.0f} s]")
    if repository.filters and subcommand in ("diff", "status"):
        notes.append("[content filters of the repository were not run; filtered files may look modified]")
    texts = [part.decode("utf-8", "replace").rstrip("\n") for part in (done.stdout, done.stderr)]
    return ToolOutput(
        "\n".join(text for text in (*texts, *notes) if text) or "[no output]",
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
