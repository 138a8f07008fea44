"""From a request to the action policy rules on: the tool is found, its arguments read, its effects declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from akili_cli.core.policy.model import Action
from akili_cli.core.tools.base import Tool, ToolArgs
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import Run, ToolCall
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import AkiliError, InvalidArgumentsError


@dataclass(frozen=True, slots=True)
class Understood:
    """A call that names a tool, fits its arguments and tells what it would do."""

    tool: Tool[Any]
    args: ToolArgs
    action: Action


def understand(tools: ToolBox, call: ToolCall, run: Run, *, role: str | None, at: float) -> Understood:
    """Read a call without doing anything; ``at`` is the time (epoch seconds) it is ruled on.

    Raises ``InvalidArgumentsError`` when the tool is unknown, its arguments are wrong, or what they would do
    cannot be told.
    """
    tool, args = tools.parse(call)
    action = Action(
        tool=tool.name,
        permission=tool.permission,
        risk=tool.risk,
        read_only=tool.read_only,
        effects=_declared(tool, args),
        run=run,
        role=role,
        at=at,
    )
    return Understood(tool, args, action)


def _declared(tool: Tool[Any], args: ToolArgs) -> Effects:
    try:
        return tool.effects(args)
    except InvalidArgumentsError:
        raise
    except AkiliError as error:
        raise InvalidArgumentsError(str(error), hint=error.hint) from error
