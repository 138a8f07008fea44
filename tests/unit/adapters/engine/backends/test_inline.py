from __future__ import annotations

import asyncio
from collections.abc import Mapping

from akili_cli.adapters.engine.backends.inline import MAX_KEPT, DirectSteps, InlineEngine
from akili_cli.adapters.engine.base import Json, RunState, Steps
from tests.fakes.clock import FakeClock


async def _quick(_steps: Steps, _payload: Mapping[str, Json]) -> Json:
    return "done"


async def _for_ever(_steps: Steps, _payload: Mapping[str, Json]) -> Json:
    await asyncio.Event().wait()
    return None


async def test_only_the_last_runs_are_remembered() -> None:
    engine = InlineEngine("n", {"quick": _quick}, FakeClock())
    for number in range(MAX_KEPT + 5):
        await engine.start(f"r{number}", "quick", {})
        await engine.wait(f"r{number}")
    assert await engine.get("r0") is None
    assert await engine.get(f"r{MAX_KEPT + 4}") is not None


async def test_closing_ends_what_does_not_end_itself() -> None:
    engine = InlineEngine("n", {"long": _for_ever}, FakeClock())
    await engine.start("r", "long", {})
    await engine.close(drain_s=0.01)
    run = await engine.get("r")
    assert run is not None
    assert run.state is RunState.CANCELLED


async def test_steps_sleep_by_the_clock() -> None:
    clock = FakeClock()
    before = clock.now()
    await DirectSteps("r", clock).sleep(90)
    assert clock.now() == before + 90
