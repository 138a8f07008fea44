"""What a run tells whoever watches it: the lines of ``--jsonl``, the trace on stderr, later SSE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

EventName = Literal[
    "run.started",
    "plan",
    "tool.intent",
    "approval.requested",
    "approval.resolved",
    "tool.result",
    "text",
    "message",
    "usage",
    "notice",
    "run.finished",
]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. ``data`` is JSON-ready and already redacted."""

    name: EventName
    data: Mapping[str, object] = field(default_factory=dict)


Emit = Callable[[Event], None]


def silent(_event: Event) -> None:
    """Watch nothing."""
