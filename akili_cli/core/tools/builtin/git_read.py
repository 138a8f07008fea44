"""``git_read``: look at a repository without running anything that the repository brings along."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from akili_cli.adapters.files.paths import resolve
from akili_cli.core.sandbox.base import Sandbox
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.git.arguments import check_arguments, check_subcommand
from akili_cli.core.tools.git.hardening import hardened_argv, hardened_env
from akili_cli.core.tools.git.options import MAX_ARGUMENTS
from akili_cli.core.tools.git.running import GitCall, repository_at, run_git
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import RefusedError
from akili_cli.domain.risk import Risk

_FILTERED = "[content filters of the repository were not run; filtered files may look modified]"


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
        call = self._look(args)
        return Effects(reads=call.repository.reads, commands=(call.command,))

    async def run(self, args: GitReadArgs, permit: Permit) -> ToolOutput:
        """Run git in the sandbox; what git complains about is ``ok=False``.

        Raises ``RefusedError`` when the repository has come to lead elsewhere since it was ruled on.
        """
        call = self._look(args)
        if not set(call.repository.reads) <= set(permit.effects.reads):
            raise RefusedError("the permit does not cover all that this repository leads to", hint="ask again")
        filtered = call.repository.filters and args.subcommand in ("diff", "status")
        hints = (_FILTERED,) if filtered else ()
        return await run_git(self._sandbox, call, permit, self._timeout_s, silent="[no output]", hints=hints)

    def _look(self, args: GitReadArgs) -> GitCall:
        check_subcommand(args.subcommand)
        path = resolve(args.repo_path, cwd=self._cwd, home=self._home)
        repository = repository_at(path)
        passed = check_arguments(args.subcommand, args.args, top=repository.top, cwd=path)
        argv = hardened_argv(args.subcommand, passed)
        return GitCall(repository, args.subcommand, passed, path, argv, hardened_env(repository))
