"""A tracer that remembers its spans, so that a test can look at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from akili_cli.domain.ports import NO_ATTRIBUTES, Attributes, SpanKind


@dataclass
class RememberedSpan:
    name: str
    attributes: dict[str, object]
    kind: str
    parent: str
    failed: str = ""
    inside: list[str] = field(default_factory=list)

    def set(self, attributes: Attributes) -> None:
        self.attributes.update(attributes)

    def fail(self, reason: str) -> None:
        self.failed = reason


class RememberingTracer:
    def __init__(self) -> None:
        self.spans: list[RememberedSpan] = []

    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def one(self, name: str) -> RememberedSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    @contextmanager
    def span(
        self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, kind: SpanKind = "internal", parent: str = ""
    ) -> Iterator[RememberedSpan]:
        span = RememberedSpan(name, dict(attributes), kind, parent)
        self.spans.append(span)
        try:
            yield span
        except BaseException as error:
            span.fail(type(error).__name__)
            raise
