"""The second reader: what bash's own grammar sees in a line, to compare with what we read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_PLAIN = re.compile(r"[\w./+:@%-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class BashReading:
    """The command lines seen (name and arguments, as written) and whether all of the text made sense."""

    commands: tuple[tuple[str, ...], ...]
    sound: bool

    @property
    def names(self) -> frozenset[str]:
        """The command names that need no expansion."""
        return frozenset(line[0] for line in self.commands if _PLAIN.fullmatch(line[0]))


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def read_as_bash(text: str) -> BashReading:
    """Parse a text as bash; never raises for bad shell."""
    root = _parser().parse(text.encode()).root_node
    return BashReading(tuple(_commands(root)), not root.has_error)


def _commands(root: Node) -> Iterator[tuple[str, ...]]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting.extend(reversed(node.children))
        if node.type == "command" and (name := node.child_by_field_name("name")) is not None:
            arguments = node.children_by_field_name("argument")
            yield tuple((part.text or b"").decode(errors="replace") for part in (name, *arguments))
