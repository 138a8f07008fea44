"""Small tools for tests of the pipeline and the loop: what they do and declare is up to the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from pydantic import Field

from akili_cli.core.tools.base import ToolArgs
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.risk import Risk


class PathArgs(ToolArgs):
    path: str = Field(min_length=1, max_length=4096)


Act = Callable[[PathArgs, Permit], Awaitable[ToolOutput]]


async def done(args: PathArgs, _permit: Permit) -> ToolOutput:
    return ToolOutput(f"done with {args.path}")


class FakeTool:
    """Remembers every permit it was given; ``act`` is what running it means."""

    name: ClassVar[str]
    permission: ClassVar[str]
    summary: ClassVar[str] = "A tool of the tests."
    risk: ClassVar[Risk]
    read_only: ClassVar[bool]
    idempotent: ClassVar[bool] = True
    Args: ClassVar[type[ToolArgs]] = PathArgs

    def __init__(self, act: Act = done, *, effects: Callable[[PathArgs], Effects] | None = None) -> None:
        self.act = act
        self.permits: list[Permit] = []
        self._effects = effects

    @property
    def ran(self) -> int:
        return len(self.permits)

    def effects(self, args: PathArgs) -> Effects:
        if not args.path.startswith("/"):
            raise InvalidArgumentsError("path: must be absolute", hint="begin it with /")
        return self._effects(args) if self._effects else self.usual(args)

    def usual(self, args: PathArgs) -> Effects:
        raise NotImplementedError

    async def run(self, args: PathArgs, permit: Permit) -> ToolOutput:
        self.permits.append(permit)
        return await self.act(args, permit)


class Look(FakeTool):
    name = "look"
    permission = "look"
    risk = Risk.LOW
    read_only = True

    def usual(self, args: PathArgs) -> Effects:
        return Effects(reads=(args.path,))


class Change(FakeTool):
    name = "change"
    permission = "change"
    risk = Risk.MEDIUM
    read_only = False
    idempotent = False

    def usual(self, args: PathArgs) -> Effects:
        return Effects(writes=(args.path,))


class Destroy(FakeTool):
    name = "destroy"
    permission = "destroy"
    risk = Risk.CRITICAL
    read_only = False
    idempotent = False

    def usual(self, args: PathArgs) -> Effects:
        return Effects(deletes=(args.path,), reversible=False)
