"""The contract of a tool: it declares its effects, and acts only with a permit."""

from __future__ import annotations

from typing import ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk


class ToolArgs(BaseModel):
    """The base of every tool's arguments: unknown names are errors, types are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


A_contra = TypeVar("A_contra", bound=ToolArgs, contravariant=True)


class Tool(Protocol[A_contra]):
    """One thing a model, a runbook or a person may ask for.

    ``Args`` is both the schema the model sees and the parser. ``risk`` is where the risk starts; effects
    and rules move it. ``read_only`` results may be cached and run in parallel; ``idempotent`` calls may be
    repeated after a crash.
    """

    name: ClassVar[str]
    permission: ClassVar[str]
    summary: ClassVar[str]
    risk: ClassVar[Risk]
    read_only: ClassVar[bool]
    idempotent: ClassVar[bool]
    Args: ClassVar[type[ToolArgs]]

    def effects(self, args: A_contra) -> Effects:
        """Declare what ``run`` would do; may look at the file system, changes nothing.

        Raises ``InvalidArgumentsError`` for arguments that can never be right.
        """

    async def run(self, args: A_contra, permit: Permit) -> ToolOutput:
        """Do it, within the permit. A failed action is ``ok=False``; bugs and lost services raise."""
