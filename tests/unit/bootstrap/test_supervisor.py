from __future__ import annotations

import asyncio
import os
import signal

import pytest

from akili_cli.bootstrap.supervisor import LONGEST_PAUSE_S, Supervisor
from tests.fakes.clock import FakeClock


class Chore:
    name = "chore"
    every_s = 5.0

    def __init__(self, supervisor: Supervisor, breaks: int = 0) -> None:
        self.rounds: list[float] = []
        self._supervisor = supervisor
        self._breaks = breaks

    async def tick(self, now: float) -> None:
        self.rounds.append(now)
        if len(self.rounds) == 20:
            self._supervisor.stop()
            await asyncio.Event().wait()
        if len(self.rounds) <= self._breaks:
            raise ValueError("broken")


async def test_a_chore_is_done_every_so_often_until_the_end() -> None:
    clock = FakeClock()
    supervisor = Supervisor(clock)
    chore = Chore(supervisor)
    supervisor.add_chore(chore)
    began = clock.now()
    await supervisor.run()
    assert chore.rounds == [began + 5.0 * number for number in range(20)]


async def test_what_breaks_is_started_again_ever_more_slowly(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    supervisor = Supervisor(clock)
    chore = Chore(supervisor, breaks=9)
    supervisor.add_chore(chore)
    await supervisor.run()
    pauses = [after - before for before, after in zip(chore.rounds, chore.rounds[1:], strict=False)]
    assert pauses[:9] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert sum("started again" in record.message for record in caplog.records) == 9


async def test_a_task_that_ends_by_itself_is_not_started_again() -> None:
    supervisor = Supervisor(FakeClock())
    ran = []

    async def once() -> None:
        ran.append(1)
        supervisor.stop()

    supervisor.add("once", once)
    await supervisor.run()
    assert ran == [1]


async def test_the_first_signal_stops_and_the_second_calls_for_the_end_at_once() -> None:
    supervisor, again = Supervisor(FakeClock()), []
    before = signal.getsignal(signal.SIGTERM)
    with supervisor.signals(lambda: again.append(1)):
        os.kill(os.getpid(), signal.SIGTERM)
        await supervisor.run()
        assert again == []
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.01)
        assert again == [1]
    assert signal.getsignal(signal.SIGTERM) is before
