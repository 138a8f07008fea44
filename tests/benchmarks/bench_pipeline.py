"""What the pipeline adds to a call: decision, reservation and two durable audit records, at 1 and 64 callers.

The tool itself does nothing, so the figure is the pipeline's own. Everything else is real, on a real disk. Beside it
stands what two bare commits cost there, which no pipeline with a durable intent and outcome can be below, and the
processor time a call takes: with many callers, that and not the disk is the limit.
"""

from __future__ import annotations

import asyncio
import sqlite3
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
from tests.benchmarks.figures import median, percentile, show


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


def bare_commits(directory: Path, rounds: int) -> float:
    """Give the median seconds of two commits of one row each, on the disk before they return, without akili."""
    connection = sqlite3.connect(directory / "bare.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT)")
    times: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(2):
            connection.execute("INSERT INTO rows (body) VALUES (?)", ("x" * 900,))
        times.append(time.perf_counter() - began)
    connection.close()
    return median(times)


async def measure() -> None:
    with tempfile.TemporaryDirectory() as home:
        start = Start(env={"HOME": home}, cwd=Path(home))
        async with open_state(start) as state, open_app(state) as app:
            pipeline = replace(app.pipeline, tools=ToolBox((Nothing(),)))
            await load(pipeline, 1, 200)
            show("two bare commits, one after the other", f"p50 {bare_commits(Path(home), 1000) * 1000:6.2f} ms")
            for callers, calls in ((1, 2000), (8, 8000), (64, 16_000)):
                loop_s, all_s = time.thread_time(), time.process_time()
                took, times = await load(pipeline, callers, calls)
                loop_us, all_us = (
                    (time.thread_time() - loop_s) / calls * 1e6,
                    (time.process_time() - all_s) / calls * 1e6,
                )
                p50, p99 = percentile(times, 0.5) * 1000, percentile(times, 0.99) * 1000
                figure = f"{calls / took:8.0f} calls/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms"
                show(f"pipeline.run, {callers:>2} callers", figure)
                show("  processor time per call", f"{all_us:8.0f} us, {loop_us:.0f} us of it in the loop")


if __name__ == "__main__":
    asyncio.run(measure())
