"""What confinement adds to one command: bare, under bubblewrap with comparable isolation, and under all our layers.

All in one run, round-robin, so that whatever else the machine does hits everybody. ``python
tests/benchmarks/bench_sandbox.py`` also runs 10,000 commands at concurrency 8 and looks for what they leave.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from tests.benchmarks.figures import median, percentile, show
from tests.fakes.permits import permit_for

ROUNDS = 200
SIDE_BY_SIDE = 8
BUBBLEWRAP = (
    *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--ro-bind", "/usr", "/usr"),
    *("--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
    *("--ro-bind", "/etc", "/etc", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp"),
)
Run = Callable[[], Awaitable[object]]


async def started(*argv: str) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=pipe, stdin=asyncio.subprocess.DEVNULL)
    await process.communicate()
    assert process.returncode == 0


def ways(sandbox: ProcessSandbox) -> dict[str, Run]:
    permit = permit_for(Effects())
    found: dict[str, Run] = {"bare": lambda: started("/bin/true")}
    if shutil.which("bwrap"):
        found["bubblewrap"] = lambda: started(*BUBBLEWRAP, "/bin/true")
    found["akili"] = lambda: sandbox.run(ExecRequest(("/bin/true",), 10), permit)
    return found


async def rate(run: Run, at_once: int, count: int) -> float:
    async def some() -> None:
        for _ in range(count // at_once):
            await run()

    began = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(at_once)))
    return count / (time.perf_counter() - began)


@pytest.mark.benchmark
@pytest.mark.timeout(120)
async def test_confinement_costs_less_than_bubblewraps() -> None:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        sandbox = ProcessSandbox(SandboxSettings(), Path(folder), SystemClock())
        runs = ways(sandbox)
        await runs["akili"]()
        cold = (time.perf_counter() - began) * 1000
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, run in runs.items():
                began = time.perf_counter()
                await run()
                times[name].append((time.perf_counter() - began) * 1000)
        for name, run in runs.items():
            own, bare = times[name], times["bare"]
            added = (
                f"added p50 {median(own) - median(bare):5.2f} p99 {percentile(own, 0.99) - percentile(bare, 0.99):6.2f}"
            )
            rates = [await rate(run, at_once, 240) for at_once in (1, SIDE_BY_SIDE)]
            show(
                f"sandbox: {name}",
                f"p50 {median(own):5.2f} ms, {added}, {rates[0]:5.0f}/s at 1, {rates[1]:5.0f}/s at {SIDE_BY_SIDE}",
            )
        show("sandbox: akili, from nothing to the first result", f"{cold:.1f} ms")
        await sandbox.close()
    if "bubblewrap" not in runs:
        pytest.skip("bubblewrap is not installed: nothing to compare with")
    assert median(times["akili"]) < median(times["bubblewrap"])


async def endure(count: int) -> None:
    """Run many commands and show that nothing is left of them."""
    with tempfile.TemporaryDirectory() as folder:
        sandbox = ProcessSandbox(SandboxSettings(), Path(folder), SystemClock())
        run = ways(sandbox)["akili"]
        await rate(run, SIDE_BY_SIDE, 200)

        def held() -> tuple[int, int, int]:
            zygote = Path(f"/proc/{sandbox._zygote.process_id}")
            pages = int((zygote / "statm").read_text().split()[1])
            return (
                len(os.listdir("/proc/self/fd")),
                len(os.listdir(zygote / "fd")),
                pages * resource.getpagesize() >> 10,
            )

        before, own = held(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        per_s = await rate(run, SIDE_BY_SIDE, count)
        await asyncio.sleep(0.3)
        after, grown = held(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        show(f"sandbox: {count} commands at {SIDE_BY_SIDE} at once", f"{per_s:.0f}/s")
        show("  descriptors of akili, of the zygote, KiB of the zygote", f"{before} -> {after}")
        show("  largest memory of akili, KiB", f"{own} -> {grown}")
        show("  scratch directories left", str(len(list(Path(folder).iterdir()))))
        await sandbox.close()


if __name__ == "__main__":
    asyncio.run(endure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
