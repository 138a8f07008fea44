"""The tools of this process by name, and how each looks to a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from akili_cli.core.tools.base import Tool, ToolArgs
from akili_cli.domain.calls import ToolCall
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError
from akili_cli.domain.messages import ToolSpec
from akili_cli.domain.nearest import nearest


class ToolBox:
    """A fixed set of tools; names are unique."""

    def __init__(self, tools: Iterable[Tool[Any]], *, unoffered: Iterable[Tool[Any]] = ()) -> None:
        """Keep the tools; two of one name are an error. ``unoffered`` ones are not described to models."""
        self._tools: dict[str, Tool[Any]] = {}
        self._offered = tuple(tools)
        for tool in (*self._offered, *unoffered):
            if tool.name in self._tools:
                raise ConflictError(f"two tools are named {tool.name}")
            self._tools[tool.name] = tool
        self._specs: tuple[ToolSpec, ...] = ()

    def __iter__(self) -> Iterable[Tool[Any]]:
        """Go through the tools in the order they were given."""
        return iter(self._tools.values())

    def names(self) -> tuple[str, ...]:
        """Give the names."""
        return tuple(self._tools)

    def get(self, name: str) -> Tool[Any]:
        """Find a tool; raises ``InvalidArgumentsError`` that names the nearest one."""
        try:
            return self._tools[name]
        except KeyError:
            known = ", ".join(self._tools)
            raise InvalidArgumentsError(
                f"there is no tool {name[:80]!r}{nearest(name, self._tools)}", hint=f"tools: {known}"
            ) from None

    def parse(self, call: ToolCall) -> tuple[Tool[Any], ToolArgs]:
        """Find the tool and check the arguments; raises ``InvalidArgumentsError`` naming each wrong field."""
        tool = self.get(call.name)
        try:
            return tool, tool.Args.model_validate(dict(call.arguments))
        except ValidationError as error:
            faults = "; ".join(_fault(item["loc"], item["msg"]) for item in error.errors()[:5])
            raise InvalidArgumentsError(f"{call.name}: {faults}") from error

    def specs(self) -> tuple[ToolSpec, ...]:
        """Describe every tool that models are offered; the schemas are made once and shared."""
        if not self._specs:
            self._specs = tuple(ToolSpec(t.name, t.summary, t.Args.model_json_schema()) for t in self._offered)
        return self._specs


def _fault(where: tuple[int | str, ...], what: str) -> str:
    return f"{'.'.join(str(part) for part in where) or 'arguments'}: {what}"
