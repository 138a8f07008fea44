"""The engine of a process that is there as long as its run: nothing is kept, nothing is resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from akili_cli.adapters.engine.base import Body, EngineRun, Json, RunState
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import NotFoundError

MAX_KEPT = 1000


@dataclass(frozen=True, slots=True)
class DirectSteps:
    """Steps that are simply done."""

    run_id: str
    clock: Clock

    async def step(self, _name: str, act: Callable[[], Awaitable[Json]]) -> Json:
        """Do it."""
        return await act()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self.clock.sleep(seconds)


class InlineEngine:
    """Runs bodies as tasks of this process and remembers the last thousand that ended."""

    def __init__(self, node: str, bodies: Mapping[str, Body], clock: Clock) -> None:
        """Keep the bodies by kind."""
        self._node = node
        self._bodies = dict(bodies)
        self._clock = clock
        self._runs: dict[str, EngineRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, run_id: str, kind: str, payload: Mapping[str, Json]) -> bool:
        """Start a body in the background; False when a run of that name exists."""
        if run_id in self._runs:
            return False
        body = self._bodies[kind]
        self._runs[run_id] = EngineRun(run_id, kind, RunState.RUNNING, self._node)
        self._tasks[run_id] = asyncio.create_task(self._play(run_id, body, payload), name=run_id)
        return True

    async def wait(self, run_id: str) -> EngineRun:
        """Wait until a run has ended; raises ``NotFoundError``."""
        if run_id not in self._runs:
            raise NotFoundError(f"no run {run_id[:80]!r}")
        task = self._tasks.get(run_id)
        if task is not None:
            await asyncio.wait((task,))
        return self._runs[run_id]

    async def get(self, run_id: str) -> EngineRun | None:
        """Give one run, or None."""
        return self._runs.get(run_id)

    async def cancel(self, run_id: str) -> None:
        """End a run at once."""
        task = self._tasks.get(run_id)
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    async def unfinished(self, nodes: Sequence[str]) -> list[EngineRun]:
        """Give what runs here, if this node is asked for."""
        return [self._runs[run_id] for run_id in self._tasks] if self._node in nodes else []

    async def resume(self, run_ids: Sequence[str]) -> None:
        """Do nothing: what a lost process was doing is not known here."""

    async def close(self, *, drain_s: float = 0.0) -> None:
        """Wait that long for running runs, then cancel the rest."""
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=drain_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _play(self, run_id: str, body: Body, payload: Mapping[str, Json]) -> None:
        run = self._runs[run_id]
        try:
            result = await body(DirectSteps(run_id, self._clock), payload)
            self._runs[run_id] = replace(run, state=RunState.DONE, result=result)
        except asyncio.CancelledError:
            self._runs[run_id] = replace(run, state=RunState.CANCELLED)
            raise
        except Exception as error:
            self._runs[run_id] = replace(run, state=RunState.FAILED, error=f"{type(error).__name__}: {error}")
        finally:
            del self._tasks[run_id]
            ended = [known for known in self._runs if known not in self._tasks]
            for old in ended[:-MAX_KEPT]:
                del self._runs[old]
