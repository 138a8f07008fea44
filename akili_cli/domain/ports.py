"""Protocols by which a lower layer uses a higher one that bootstrap hands over."""

from __future__ import annotations

from typing import Protocol

from akili_cli.domain.calls import Run


class Knowledge(Protocol):
    """Procedures that fit a message; trusted text, for the model's instructions."""

    async def relevant(self, message: str, run: Run) -> tuple[str, ...]:
        """Give the texts that fit best, best first; empty when nothing does."""


class NoKnowledge:
    """Knows nothing."""

    async def relevant(self, _message: str, _run: Run) -> tuple[str, ...]:
        """Give nothing."""
        return ()
