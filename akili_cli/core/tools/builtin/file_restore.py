"""``file_restore``: put one file back as it was before akili changed it. People ask for it, models do not."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import ClassVar

from pydantic import Field

from akili_cli.adapters.files.paths import open_beneath, remove_file, resolve, write_file
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.builtin.file_read import printable, root_of
from akili_cli.core.tools.settings import FileToolSettings
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import (
    ConflictError,
    InvalidArgumentsError,
    NotFoundError,
    RefusedError,
    ToolFailedError,
)
from akili_cli.domain.images import BeforeImage, BeforeImages
from akili_cli.domain.risk import Risk

_DIGEST = r"^[0-9a-f]{64}$"


class FileRestoreArgs(ToolArgs):
    """Which entry, and what that means: the call says all of it, so that rules and people see it."""

    entry: str = Field(min_length=4, max_length=64, description="undo entry")
    path: str = Field(min_length=1, max_length=4096, description="the file, absolute")
    current: str | None = Field(pattern=_DIGEST, description="SHA-256 it must have now; null: it must not exist")
    earlier: str | None = Field(pattern=_DIGEST, description="SHA-256 that comes back; null: it is deleted")


class FileRestore:
    """Undo one change of one file, unless somebody changed the file since."""

    name: ClassVar[str] = "file_restore"
    permission: ClassVar[str] = "write_files"
    summary: ClassVar[str] = "Put a file back as it was before akili changed it."
    risk: ClassVar[Risk] = Risk.MEDIUM
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = FileRestoreArgs

    def __init__(self, settings: FileToolSettings, images: BeforeImages, *, home: str, cwd: str) -> None:
        """Keep where images come from, and what the allowed paths stand for."""
        self._images = images
        self._roots = tuple(resolve(path, cwd=cwd, home=home) for path in settings.allowed_paths)

    def effects(self, args: FileRestoreArgs) -> Effects:
        """Declare a write, or a deletion of a file that did not exist before."""
        path = resolve(args.path, cwd="/", home="/")
        if path != args.path:
            raise InvalidArgumentsError(f"{args.path!r} leads elsewhere now: to {path!r}", hint="nothing was done")
        reversible = self._images.reversible(path)
        if args.earlier is None:
            return Effects(deletes=(path,), reversible=reversible)
        return Effects(writes=(path,), reversible=reversible)

    async def run(self, args: FileRestoreArgs, permit: Permit) -> ToolOutput:
        """Check that nothing came between, then restore; else ``ok=False`` and nothing is changed."""
        if (*permit.effects.writes, *permit.effects.deletes) != (args.path,):
            raise RefusedError("the permit does not name the one path to restore")
        try:
            image = await self._images.load(args.entry, permit.user)
            _check(args, image)
            async with self._images.before(permit, (args.path,), undo_of=args.entry) as images:
                await asyncio.to_thread(self._restore, image, permit)
                images.wrote(args.path, image.data)
        except (NotFoundError, ConflictError, ToolFailedError) as error:
            return ToolOutput(str(error), ok=False, metadata={"path": args.path, "entry": args.entry})
        if image.data is None:
            text = f"deleted {printable(args.path)}, which did not exist before"
        else:
            text = f"restored {printable(args.path)}: {len(image.data)} bytes, mode {image.mode & 0o777:04o}"
        return ToolOutput(text, metadata={"path": args.path, "entry": args.entry, "deleted": image.data is None})

    def _restore(self, image: BeforeImage, permit: Permit) -> None:
        root = root_of(image.path, self._roots)
        if _digest_now(image.path, root) != image.after:
            raise ToolFailedError(f"{image.path!r} was changed since; nothing was done")
        if image.data is None:
            remove_file(image.path, permit, root=root)
        else:
            owner = (image.uid, image.gid)
            write_file(image.path, image.data, permit, root=root, mode=image.mode, owner=owner)


def _check(args: FileRestoreArgs, image: BeforeImage) -> None:
    earlier = None if image.data is None else hashlib.sha256(image.data).hexdigest()
    if (image.path, image.after, earlier) != (args.path, args.current, args.earlier):
        raise ConflictError(f"undo entry {args.entry} says something else than this call; nothing was done")


def _digest_now(path: str, root: str) -> str | None:
    try:
        fd = open_beneath(root, path, os.O_RDONLY)
    except NotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
