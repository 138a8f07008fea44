"""``git_write``: change a repository without running anything that the repository brings along."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from akili_cli.adapters.files.paths import resolve
from akili_cli.core.sandbox.base import Sandbox
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.git.options import MAX_ARGUMENTS
from akili_cli.core.tools.git.running import GitCall, repository_at, run_git
from akili_cli.core.tools.git.touched import places_of
from akili_cli.core.tools.git.write_arguments import (
    WRITE_VERBS,
    check_write_arguments,
    check_write_verb,
    removed_paths,
)
from akili_cli.core.tools.git.writing import prepare, unwritable, written_places
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError, RefusedError
from akili_cli.domain.images import RepositoryImages, RepositoryPlaces
from akili_cli.domain.risk import Risk


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
        self,
        sandbox: Sandbox,
        images: RepositoryImages,
        *,
        home: str,
        cwd: str,
        runs_as: int | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        """Keep where git runs and images go, what ``~`` stands for, and the commands' uid when it is not akili's."""
        self._sandbox = sandbox
        self._images = images
        self._home = home
        self._cwd = cwd
        self._runs_as = runs_as
        self._timeout_s = timeout_s

    def effects(self, args: GitWriteArgs) -> Effects:
        """Declare the work tree and the git directories as written, and the git command as asked for.

        Looks at what undo would have to keep. Raises ``InvalidArgumentsError`` for a subcommand, an argument or a
        repository that is not accepted.
        """
        return self._effects(*self._look(args))

    async def run(self, args: GitWriteArgs, permit: Permit) -> ToolOutput:
        """Run git in the sandbox; what git complains about is ``ok=False``.

        Raises ``RefusedError`` when the repository has come to lead elsewhere since it was ruled on, and
        ``ToolFailedError`` when what undo needs cannot be kept; then git was not run.
        """
        call, writes = self._look(args)
        now, ruled = self._effects(call, writes), permit.effects
        covered = set(now.reads) <= set(ruled.reads) and set(now.writes) <= set(ruled.writes)
        if not covered or not set(now.deletes) <= set(ruled.deletes) or (ruled.reversible and not now.reversible):
            raise RefusedError("the permit does not cover what this call would now do", hint="ask again")
        async with self._images.before(permit, _places(call)):
            return await run_git(self._sandbox, call, permit, self._timeout_s, silent="[done, no output]")

    def _look(self, args: GitWriteArgs) -> tuple[GitCall, tuple[str, ...]]:
        check_write_verb(args.subcommand)
        path = resolve(args.repo_path, cwd=self._cwd, home=self._home)
        repository = repository_at(path)
        try:
            closed = None if self._runs_as is None else unwritable(repository, self._runs_as)
            passed = check_write_arguments(args.subcommand, args.args, top=repository.top, cwd=path)
            argv, env = prepare(repository, args.subcommand, passed)
        except OSError as error:
            raise InvalidArgumentsError(f"{path!r} cannot be looked at: {error.strerror}") from error
        if closed is not None:
            raise InvalidArgumentsError(
                f"commands run as uid {self._runs_as} here, which may not write to {closed!r}",
                hint=f"start akili as the repository's owner, or give the repository to uid {self._runs_as}",
            )
        return GitCall(repository, args.subcommand, passed, path, argv, env), written_places(repository)

    def _effects(self, call: GitCall, writes: tuple[str, ...]) -> Effects:
        return Effects(
            reads=call.repository.reads,
            writes=writes,
            deletes=removed_paths(call.subcommand, call.passed, top=call.repository.top, cwd=call.cwd),
            commands=(call.command,),
            reversible=self._images.reversible(_places(call)),
        )


def _places(call: GitCall) -> RepositoryPlaces:
    return places_of(call.repository, call.subcommand, call.passed, call.cwd)
