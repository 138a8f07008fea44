"""What the pipeline adds to a call: decision, reservation and two durable audit records, at 1 and 64 callers.

The tool itself does nothing, so the figure is the pipeline's own. Everything else is real, on a real disk.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from akili_cli.bootstrap.app import Start, open_app, open_state
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import Principal, Run, Status, ToolCall, ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.benchmarks.figures import percentile, show


class NothingArgs(ToolArgs):
    number: int


class Nothing:
    """A permitted tool that returns at once."""

    name: ClassVar[str] = "nothing"
    permission: ClassVar[str] = "shell_exec"
    summary: ClassVar[str] = "Do nothing."
    risk: ClassVar[Risk] = Risk.LOW
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = True
    Args: ClassVar[type[ToolArgs]] = NothingArgs

    def effects(self, _args: NothingArgs) -> Effects:
        return Effects()

    async def run(self, _args: NothingArgs, _permit: Permit) -> ToolOutput:
        return ToolOutput("done")


async def load(pipeline: Pipeline, callers: int, calls: int) -> tuple[float, list[float]]:
    times: list[float] = []

    async def caller(name: int) -> None:
        run = Run(f"run-{name}", Principal("bench"), f"{name:016x}")
        for number in range(calls // callers):
            began = time.perf_counter()
            step = await pipeline.run(ToolCall(f"{name}-{number}", "nothing", {"number": number}), run)
            times.append(time.perf_counter() - began)
            assert step.status is Status.OK, step

    began = time.perf_counter()
    await asyncio.gather(*(caller(name) for name in range(callers)))
    return time.perf_counter() - began, times


async def measure() -> None:
    with tempfile.TemporaryDirectory() as home:
        start = Start(env={"HOME": home}, cwd=Path(home))
        async with open_state(start) as state, open_app(state) as app:
            pipeline = replace(app.pipeline, tools=ToolBox((Nothing(),)))
            await load(pipeline, 1, 200)
            for callers, calls in ((1, 2000), (8, 8000), (64, 16_000)):
                took, times = await load(pipeline, callers, calls)
                p50, p99 = percentile(times, 0.5) * 1000, percentile(times, 0.99) * 1000
                figure = f"{calls / took:8.0f} calls/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms"
                show(f"pipeline.run, {callers:>2} callers", figure)


if __name__ == "__main__":
    asyncio.run(measure())
