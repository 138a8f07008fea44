"""Akili's end of staged directories: how the real ones were, and what becomes of them when the command has ended."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from akili_cli.core.sandbox import kernel
from akili_cli.core.sandbox.carry import Carrier, look
from akili_cli.core.sandbox.foreign import Stage
from akili_cli.domain.errors import SandboxError

_MAX_STRAYS = 20
_MAX_PASSED = 200  # descriptors travel in one message, which takes 253


@dataclass(slots=True)
class _Real:
    """One staged directory as it really is; ``view`` and ``copies`` come when the command starts."""

    stage: Stage
    folder: int
    before: dict[str, os.stat_result]
    view: int = -1
    copies: list[int] = field(default_factory=list)


class Staging:
    """The staged directories of one command."""

    def __init__(self, stages: Sequence[Stage], *, max_file_bytes: int, max_bytes: int) -> None:
        """Note how everything is. Raises ``SandboxError`` for what is too large to be copied, or swapped for a link."""
        self._max_bytes = max_bytes
        self._reals: list[_Real] = []
        if sum(1 + len(stage.copied) for stage in stages) > _MAX_PASSED:
            raise SandboxError("the permit changes too many files of another owner at once", hint="name fewer paths")
        try:
            for stage in stages:
                self._reals.append(_opened(stage, max_file_bytes))
        except SandboxError:
            self.close()
            raise

    def take(self, descriptors: list[int]) -> list[int]:
        """Keep the descriptors that came with the command's start; give those that are not of staged directories."""
        if not descriptors:
            return []
        rest = descriptors
        self._forget()
        for real in self._reals:
            needed = 1 + len(real.stage.copied)
            if len(rest) < needed:
                return rest
            real.view, *real.copies = rest[:needed]
            rest = rest[needed:]
        return rest

    def strays(self) -> list[str]:
        """Name some of what the command made beside what it may change; it is not carried over."""
        found = [path for real in self._reals if real.view >= 0 for path in _strays(real)]
        return [f"{path} is not among what the permit lets it change" for path in found[:_MAX_STRAYS]]

    def carry_over(self) -> None:
        """Make the permitted changes. Raises ``SandboxError`` for what could not be made, after all others were."""
        problems = [problem for real in self._reals for problem in self._carried(real)]
        if problems:
            raise SandboxError(f"the command ran, but not all it did is so now: {'; '.join(problems)}")

    def _carried(self, real: _Real) -> Iterator[str]:
        stage = real.stage
        if real.view < 0:
            yield f"{stage.path} cannot be looked at"
            return
        copies = dict(zip(stage.copied, real.copies, strict=True))
        carrier = Carrier(real.view, real.folder, self._max_bytes)
        for name in dict.fromkeys((*stage.written, *stage.deleted)):
            try:
                carrier.carry(
                    name,
                    real.before.get(name),
                    copies.get(name),
                    delete=name in stage.deleted,
                    write=name in stage.written,
                )
            except SandboxError as error:
                yield f"{stage.path}/{error}"
            except OSError as error:
                yield f"{stage.path}/{name}: {error.strerror}"

    def close(self) -> None:
        """Let go of everything."""
        self._forget()
        for real in self._reals:
            os.close(real.folder)
        self._reals = []

    def _forget(self) -> None:
        for real in self._reals:
            _close(descriptor for descriptor in (real.view, *real.copies) if descriptor >= 0)
            real.view, real.copies = -1, []


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _strays(real: _Real) -> Iterator[str]:
    declared = {name.partition("/")[0] for name in (*real.stage.written, *real.stage.deleted)}
    for name in sorted(set(os.listdir(real.view)) - declared):  # noqa: PTH208 - a descriptor, not a path
        if look(name, real.folder) is None:
            yield f"{real.stage.path}/{name}"


def _opened(stage: Stage, max_file_bytes: int) -> _Real:
    try:
        plain = kernel.open_plain(os.fsencode(stage.path))
        try:
            folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=plain)
        finally:
            os.close(plain)
    except OSError as error:
        raise SandboxError(f"{stage.path} cannot be opened: {error.strerror}", hint="ask again") from error
    try:
        return _Real(stage, folder, {name: _copyable(name, stage, folder, max_file_bytes) for name in stage.copied})
    except SandboxError:
        os.close(folder)
        raise


def _copyable(name: str, stage: Stage, folder: int, max_file_bytes: int) -> os.stat_result:
    found = look(name, folder)
    if found is None or not stat.S_ISREG(found.st_mode):
        raise SandboxError(f"{stage.path}/{name} is not the file any more that was ruled on", hint="ask again")
    if found.st_size > max_file_bytes:
        raise SandboxError(
            f"{stage.path}/{name} is larger than a command may write ({max_file_bytes >> 20} MB)",
            hint="raise sandbox.max_file_mb",
        )
    return found
