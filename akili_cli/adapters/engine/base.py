"""The engine port: named runs whose finished steps are read back after a crash."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Json = object
"""What ``json.dumps`` takes."""


class Steps(Protocol):
    """The steps of one run, inside its body. Bodies are deterministic but for what their steps give."""

    @property
    def run_id(self) -> str:
        """The run's name."""

    async def step(self, name: str, act: Callable[[], Awaitable[Json]]) -> Json:
        """Do something once and keep its value; after a crash the kept value is given and nothing is done.

        ``act`` runs again when the crash came before its value was kept: what must not happen twice guards itself.
        An exception ends the run.
        """

    async def sleep(self, seconds: float) -> None:
        """Wait; after a crash only for what is left."""


Body = Callable[[Steps, Mapping[str, Json]], Awaitable[Json]]


class RunState(enum.StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class EngineRun:
    """One run as the engine knows it; ``result`` is set when it is done, ``error`` when it failed."""

    id: str
    kind: str
    state: RunState
    node: str
    result: Json = None
    error: str = ""


class Engine(Protocol):
    """Starts runs by a name of the caller's: a second start of the same name does nothing."""

    async def start(self, run_id: str, kind: str, payload: Mapping[str, Json]) -> bool:
        """Start the body registered for ``kind`` in the background; False when a run of that name exists."""

    async def wait(self, run_id: str) -> EngineRun:
        """Wait until a run has ended; raises ``NotFoundError``."""

    async def get(self, run_id: str) -> EngineRun | None:
        """Give one run, or None."""

    async def cancel(self, run_id: str) -> None:
        """End a run before its next step; one that has ended stays as it is."""

    async def unfinished(self, nodes: Sequence[str]) -> list[EngineRun]:
        """Give the queued and running runs of these nodes."""

    async def resume(self, run_ids: Sequence[str]) -> None:
        """Take over runs whose node is gone; their finished steps are read back."""

    async def close(self, *, drain_s: float = 0.0) -> None:
        """Wait that long for running runs, then leave the rest to be resumed."""
