"""Owns every long-running task of a node: starts them, starts again what breaks, ends them in order."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from akili_cli.core.schedule.base import Chore
from akili_cli.domain.clock import Clock

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
_LOG = logging.getLogger(__name__)


class Supervisor:
    """Runs named tasks until it is told to stop."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing to do."""
        self._clock = clock
        self._stop = asyncio.Event()
        self._tasks: dict[str, Callable[[], Awaitable[None]]] = {}

    def add(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Give it something that runs until it is cancelled."""
        self._tasks[name] = run

    def add_chore(self, chore: Chore) -> None:
        """Give it something to do every so often."""

        async def rounds() -> None:
            while True:
                await chore.tick(self._clock.now())
                await self._clock.sleep(chore.every_s)

        self.add(chore.name, rounds)

    def stop(self) -> None:
        """Ask for the end; ``run`` then cancels its tasks and returns."""
        self._stop.set()

    async def run(self) -> None:
        """Run everything until ``stop``. What breaks is logged and started again, ever more slowly."""
        tasks = [asyncio.create_task(self._keep(name, run), name=name) for name, run in self._tasks.items()]
        try:
            await self._stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    @contextmanager
    def signals(self, again: Callable[[], None]) -> Iterator[None]:
        """Stop at the first SIGTERM or SIGINT; ``again`` is called at the second."""
        loop = asyncio.get_running_loop()

        def arrived() -> None:
            if self._stop.is_set():
                again()
            self.stop()

        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in before:
            loop.add_signal_handler(number, arrived)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE_S
        while True:
            began = self._clock.monotonic()
            try:
                await run()
            except asyncio.CancelledError:
                raise
            except Exception:
                _LOG.exception("a task broke and is started again", extra={"task": name})
            else:
                return
            if self._clock.monotonic() - began > LONGEST_PAUSE_S:
                pause = FIRST_PAUSE_S
            await self._clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
