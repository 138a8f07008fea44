"""Names to classes for one kind of plug-in; loads nothing until asked."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from akili_cli.domain.errors import NotFoundError


class Registry:
    """A hand-written table of ``name -> "module:attribute"``: a reader sees all of a kind at a glance."""

    def __init__(self, kind: str, table: Mapping[str, str]) -> None:
        """Keep the table; ``kind`` is the word used in errors."""
        self._kind = kind
        self._table = dict(table)

    def names(self) -> tuple[str, ...]:
        """Give the known names in the table's order."""
        return tuple(self._table)

    def load(self, name: str) -> object:
        """Import and give what stands behind a name; ``NotFoundError`` names the known ones."""
        try:
            module, _, attribute = self._table[name].partition(":")
        except KeyError:
            known = ", ".join(self._table)
            raise NotFoundError(f"no {self._kind} named {name!r}", hint=f"known: {known}") from None
        return getattr(importlib.import_module(module), attribute)
