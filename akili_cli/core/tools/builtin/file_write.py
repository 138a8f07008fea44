"""``file_write``: put text in a file, whole or not at all, through the file door."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from pydantic import Field

from akili_cli.adapters.files.paths import resolve, write_file
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.builtin.file_read import printable, root_of
from akili_cli.core.tools.settings import FileToolSettings
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError, NotFoundError, RefusedError, ToolFailedError
from akili_cli.domain.images import BeforeImages
from akili_cli.domain.risk import Risk


class FileWriteArgs(ToolArgs):
    """What to write where."""

    path: str = Field(min_length=1, max_length=4096, description="file to create or replace; ~ is the home")
    content: str = Field(description="the whole new text; may be empty")


class FileWrite:
    """Create or replace a text file; writes exactly the resolved path that it declared."""

    name: ClassVar[str] = "file_write"
    permission: ClassVar[str] = "write_files"
    summary: ClassVar[str] = "Create or replace a text file; missing parent directories are created."
    risk: ClassVar[Risk] = Risk.MEDIUM
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = FileWriteArgs

    def __init__(self, settings: FileToolSettings, images: BeforeImages, *, home: str, cwd: str) -> None:
        """Keep the limits, where before-images go, and what ``~`` and relative paths stand for."""
        self._images = images
        self._max_bytes = settings.max_file_size_bytes
        self._home = home
        self._cwd = cwd
        self._roots = tuple(resolve(path, cwd=cwd, home=home) for path in settings.allowed_paths)

    def effects(self, args: FileWriteArgs) -> Effects:
        """Declare one write of the resolved path; content too large or not UTF-8 is invalid."""
        self._encode(args.content)
        path = resolve(args.path, cwd=self._cwd, home=self._home)
        return Effects(writes=(path,), reversible=self._images.reversible(path))

    async def run(self, args: FileWriteArgs, permit: Permit) -> ToolOutput:
        """Write the declared path; a directory, a special file or no permission is ``ok=False``."""
        if len(permit.effects.writes) != 1:
            raise RefusedError("the permit does not name the one path to write")
        path = permit.effects.writes[0]
        data = self._encode(args.content)
        try:
            async with self._images.before(permit, (path,)) as images:
                done = await asyncio.to_thread(write_file, path, data, permit, root=root_of(path, self._roots))
                images.wrote(path, data)
        except (NotFoundError, ToolFailedError) as error:
            return ToolOutput(str(error), ok=False, metadata={"path": path})
        text = f"{'created' if done.created else 'replaced'} {printable(path)}: {done.size} bytes"
        if done.unlinked:
            text += "; it had other hard links, which keep the old content"
        return ToolOutput(text, metadata={"path": path, "bytes": done.size, "created": done.created})

    def _encode(self, content: str) -> bytes:
        try:
            data = content.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgumentsError("the content is not valid Unicode") from error
        if len(data) > self._max_bytes:
            raise InvalidArgumentsError(
                f"the content has {len(data)} bytes; the limit is {self._max_bytes}",
                hint="raise tools.file.max_file_size_bytes",
            )
        return data
