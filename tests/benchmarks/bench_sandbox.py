"""What the sandbox adds to one command, against the same command started plainly in the same run."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from tests.fakes.permits import permit_for

ROUNDS = 40


async def plain() -> None:
    process = await asyncio.create_subprocess_exec("/bin/true", stdout=asyncio.subprocess.PIPE)
    await process.communicate()


async def bare_interpreter() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", "import ctypes")
    await process.communicate()


@pytest.mark.benchmark
async def test_added_time_per_command() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sandbox = ProcessSandbox(SandboxSettings(), Path(folder), SystemClock())
        sandbox.layers()
        permit = permit_for(Effects())

        async def boxed() -> None:
            await sandbox.run(ExecRequest(("/bin/true",), 10), permit)

        times: dict[str, list[float]] = {"plain": [], "interpreter": [], "sandbox": []}
        for _ in range(ROUNDS):
            for name, run in (("plain", plain), ("interpreter", bare_interpreter), ("sandbox", boxed)):
                started = time.perf_counter()
                await run()
                times[name].append((time.perf_counter() - started) * 1000)
        started = time.perf_counter()
        for _ in range(5):
            await asyncio.gather(*(boxed() for _ in range(8)))
        rate = 40 / (time.perf_counter() - started)
    median = {name: statistics.median(values) for name, values in times.items()}
    p95 = sorted(times["sandbox"])[int(ROUNDS * 0.95)]
    print(  # noqa: T201 - the figures are what a benchmark is for
        f"\nplain {median['plain']:.2f} ms, interpreter start {median['interpreter']:.2f} ms, "
        f"sandbox {median['sandbox']:.2f} ms (p95 {p95:.2f}), added {median['sandbox'] - median['plain']:.2f} ms, "
        f"ratio {median['sandbox'] / median['plain']:.1f}, {rate:.0f} commands/s at 8 callers"
    )
    assert median["sandbox"] < 40 + median["plain"]
