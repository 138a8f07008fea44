"""``git_restore``: put a repository back as it was before akili changed it. People ask for it, models do not."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from akili_cli.adapters.files.paths import resolve
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.git.repository import Repository
from akili_cli.core.tools.git.running import repository_at
from akili_cli.core.tools.git.writing import written_places
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError, NotFoundError, RefusedError, ToolFailedError
from akili_cli.domain.images import RepositoryImages, RepositoryPlaces
from akili_cli.domain.risk import Risk

_DIGEST = r"^[0-9a-f]{64}$"


class GitRestoreArgs(ToolArgs):
    """Which entry, and what that means: the call says all of it, so that rules and people see it."""

    entry: str = Field(min_length=4, max_length=64, description="undo entry")
    repo_path: str = Field(min_length=1, max_length=4096, description="the work tree, absolute")
    current: str = Field(pattern=_DIGEST, description="SHA-256 of the state it must be in now")
    earlier: str = Field(pattern=_DIGEST, description="SHA-256 of what is kept of the state that comes back")


class GitRestore:
    """Undo one change of one repository, unless somebody changed the same things since; git itself is not run."""

    name: ClassVar[str] = "git_restore"
    permission: ClassVar[str] = "git_write"
    summary: ClassVar[str] = "Put a git repository back as it was before akili changed it."
    risk: ClassVar[Risk] = Risk.HIGH
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = GitRestoreArgs

    def __init__(self, images: RepositoryImages) -> None:
        """Keep where images come from."""
        self._images = images

    def effects(self, args: GitRestoreArgs) -> Effects:
        """Declare the work tree and the git directories as written.

        Raises ``InvalidArgumentsError`` for what is not, or no longer, the work tree of a repository.
        """
        repository = self._look(args)
        places = RepositoryPlaces(
            repository.top, repository.git_dir, repository.common_dir, (repository.top,), inner=False
        )
        return Effects(
            reads=repository.reads,
            writes=written_places(repository),
            reversible=self._images.reversible(places),
        )

    async def run(self, args: GitRestoreArgs, permit: Permit) -> ToolOutput:
        """Check that nothing came between, then restore; else ``ok=False`` and nothing is changed."""
        if not set(written_places(self._look(args))) <= set(permit.effects.writes):
            raise RefusedError("the permit does not cover this repository", hint="ask again")
        metadata = {"repository": args.repo_path, "entry": args.entry}
        try:
            text = await self._images.restore(
                permit, args.entry, top=args.repo_path, current=args.current, earlier=args.earlier
            )
        except (NotFoundError, ConflictError) as error:
            return ToolOutput(str(error), ok=False, metadata=metadata)
        except ToolFailedError as error:
            text = f"{error}; some of it may be done, see akili undo --list"
            return ToolOutput(text, ok=False, metadata=metadata)
        return ToolOutput(f"restored {args.repo_path!r}: {text}", metadata=metadata)

    def _look(self, args: GitRestoreArgs) -> Repository:
        path = resolve(args.repo_path, cwd="/", home="/")
        repository = repository_at(path)
        if args.repo_path != repository.top:
            raise InvalidArgumentsError(f"{args.repo_path!r} is no work tree now", hint="nothing was done")
        return repository
