"""Protocols by which a lower layer uses a higher one that bootstrap hands over."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Literal, Protocol

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


Attributes = Mapping[str, str | int | float | bool]
NO_ATTRIBUTES: Attributes = MappingProxyType({})
SpanKind = Literal["internal", "client", "server"]


class Span(Protocol):
    """One piece of work under way, for whoever watches: names and numbers only, never arguments or texts."""

    def set(self, attributes: Attributes) -> None:
        """Say more about it."""

    def fail(self, reason: str) -> None:
        """Mark it as failed for a reason of one word: a status or the name of an error."""


class Tracer(Protocol):
    """Follows a request through akili. Spans opened inside another one are its children."""

    def span(
        self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, kind: SpanKind = "internal", parent: str = ""
    ) -> AbstractContextManager[Span]:
        """Open a span for the length of a block; what is raised in it marks it as failed and goes on.

        ``parent`` is a W3C ``traceparent`` that a request brought along; it is used when no span is open.
        """


class NoSpan:
    """Nobody watches."""

    def set(self, attributes: Attributes) -> None:
        """Do nothing."""

    def fail(self, reason: str) -> None:
        """Do nothing."""

    def __enter__(self) -> NoSpan:
        """Begin nothing."""
        return self

    def __exit__(self, *_raised: object) -> None:
        """End nothing."""


class NoTracer:
    """Follows nothing and costs nothing."""

    def span(
        self, _name: str, _attributes: Attributes = NO_ATTRIBUTES, *, kind: SpanKind = "internal", parent: str = ""
    ) -> NoSpan:
        """Give the one span that does nothing."""
        del kind, parent
        return _NO_SPAN


_NO_SPAN = NoSpan()
NO_TRACER = NoTracer()
