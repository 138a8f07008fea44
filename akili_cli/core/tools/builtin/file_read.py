"""``file_read``: what stands in a file or a directory, through the file door."""

from __future__ import annotations

import asyncio
import codecs
import stat
from typing import ClassVar, Literal

from pydantic import Field

from akili_cli.adapters.files.paths import (
    FileSlice,
    hash_file,
    list_directory,
    read_file,
    resolve,
)
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.settings import FileToolSettings
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import NotFoundError, RefusedError, ToolFailedError
from akili_cli.domain.paths import is_within
from akili_cli.domain.risk import Risk

MAX_OUTPUT_BYTES = 1_048_576
_SNIFF_BYTES = 8192
_MAX_OFFSET = 1 << 50
_BINARY_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\r\f\b\x1b")


class FileReadArgs(ToolArgs):
    """What to read."""

    path: str = Field(min_length=1, max_length=4096, description="file or directory; ~ is the home")
    operation: Literal["read", "list"] = Field("read", description="read a file or list a directory")
    offset: int = Field(0, ge=0, le=_MAX_OFFSET, description="first byte to read")
    limit: int | None = Field(None, ge=1, le=_MAX_OFFSET, description="bytes to read, at most 1 MiB")


class FileRead:
    """Read a text file or list a directory; opens exactly the resolved path that it declared."""

    name: ClassVar[str] = "file_read"
    permission: ClassVar[str] = "read_files"
    summary: ClassVar[str] = "Read a text file (offset and limit in bytes) or list a directory."
    risk: ClassVar[Risk] = Risk.LOW
    read_only: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True
    Args: ClassVar[type[ToolArgs]] = FileReadArgs

    def __init__(self, settings: FileToolSettings, *, home: str, cwd: str) -> None:
        """Keep the limits, and what ``~`` and relative paths stand for."""
        self._settings = settings
        self._home = home
        self._cwd = cwd
        self._roots = tuple(resolve(path, cwd=cwd, home=home) for path in settings.allowed_paths)

    def effects(self, args: FileReadArgs) -> Effects:
        """Declare one read of the resolved path."""
        return Effects(reads=(resolve(args.path, cwd=self._cwd, home=self._home),))

    async def run(self, args: FileReadArgs, permit: Permit) -> ToolOutput:
        """Read or list the declared path; a missing, special or too large file is ``ok=False``."""
        if len(permit.effects.reads) != 1:
            raise RefusedError("the permit does not name the one path to read")
        path = permit.effects.reads[0]
        work = self._list if args.operation == "list" else self._read
        try:
            return await asyncio.to_thread(work, path, args, permit)
        except (NotFoundError, ToolFailedError) as error:
            text = f"{error} ({error.hint})" if error.hint else str(error)
            return ToolOutput(text, ok=False, metadata={"path": path})

    def _read(self, path: str, args: FileReadArgs, permit: Permit) -> ToolOutput:
        root, max_bytes = root_of(path, self._roots), self._settings.max_file_size_bytes
        limit = min(args.limit or MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES)
        part = read_file(path, permit, root=root, max_bytes=max_bytes, offset=args.offset, limit=limit)
        metadata: dict[str, object] = {"path": path, "size": part.size, "offset": part.offset}
        if is_binary(part.data):
            digest, length = hash_file(path, permit, root=root, max_bytes=max_bytes)
            metadata |= {"binary": True, "sha256": digest, "size": length}
            return ToolOutput(
                f"binary file, {length} bytes, sha256 {digest}; the content is not shown", metadata=metadata
            )
        shown = _whole_characters(part)
        text = shown.decode("utf-8", "replace")
        end = part.offset + len(shown)
        metadata |= {"bytes": len(shown), "truncated": part.more}
        if part.more:
            metadata["next_offset"] = end
            text += f"\n[cut: bytes {part.offset} to {end} shown; continue with offset={end}]"
        elif part.offset and not shown:
            text = f"[nothing at offset {part.offset}: the file ends before it]"
        return ToolOutput(text, metadata=metadata, untrusted=f"file {printable(path)}")

    def _list(self, path: str, _args: FileReadArgs, permit: Permit) -> ToolOutput:
        entries, total = list_directory(path, permit, root=root_of(path, self._roots))
        lines = [f"{stat.filemode(entry.mode)} {entry.size:>12} {printable(entry.name)}" for entry in entries]
        shown: list[str] = []
        room = MAX_OUTPUT_BYTES
        for line in lines:
            room -= len(line.encode()) + 1
            if room < 0:
                break
            shown.append(line)
        if total > len(shown):
            shown.append(f"[cut: {len(shown)} of {total} entries shown]")
        return ToolOutput(
            "\n".join(shown) if shown else "[empty directory]",
            metadata={"path": path, "count": total},
            untrusted=f"file {printable(path)}",
        )


def root_of(path: str, roots: tuple[str, ...]) -> str:
    """Give the longest allowed root that holds a path, or ``/`` when policy allowed it otherwise."""
    return max((root for root in roots if is_within(path, root)), key=len, default="/")


def printable(name: str) -> str:
    r"""Write a name so that it cannot move a cursor, hide or reorder: ``\n``, ``\x1b``, ``\u202e``."""
    return "".join("\\\\" if char == "\\" else char if char.isprintable() else ascii(char)[1:-1] for char in name)


def is_binary(data: bytes) -> bool:
    """Tell whether bytes are no text: a NUL, or more than a tenth control characters, near the start."""
    head = data[:_SNIFF_BYTES]
    controls = sum(byte in _BINARY_CONTROLS for byte in head)
    return 0 in data or controls * 10 > len(head)


def _whole_characters(part: FileSlice) -> bytes:
    """Leave out a UTF-8 character that the cut went through, so that the next page starts with it."""
    if not part.more:
        return part.data
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(part.data)
    pending = decoder.getstate()[0]
    return part.data[: len(part.data) - len(pending)] or part.data
