"""What confinement adds to one command: bare, under bubblewrap with comparable isolation, and under all our layers.

All in one run, round-robin, so that whatever else the machine does hits everybody. ``python
tests/benchmarks/bench_sandbox.py`` then runs 10,000 commands at concurrency 8 and checks what they leave; the suite
itself does so for 2,000, in ``tests/unit/core/sandbox/backends/test_spawn.py``.
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

ROUNDS = 300
REPEATS = 15
GROWTH_KIB = 4096
CONTENDED = 1.25
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
@pytest.mark.timeout(300)
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
        rates: dict[tuple[str, int], list[float]] = {}
        for _ in range(REPEATS):
            for name, run in runs.items():
                for at_once in (1, SIDE_BY_SIDE):
                    rates.setdefault((name, at_once), []).append(await rate(run, at_once, 64))
        await sandbox.close()
    figures = {
        name: (
            median(times[name]),
            percentile(times[name], 0.99),
            *(median(rates[name, at_once]) for at_once in (1, SIDE_BY_SIDE)),
        )
        for name in runs
    }
    bare = figures["bare"]
    for name, (middle, worst, alone, together) in figures.items():
        show(
            f"sandbox: {name}",
            f"p50 {middle:5.2f} ms, added p50 {middle - bare[0]:5.2f} p99 {worst - bare[1]:6.2f}, "
            f"{alone:5.0f}/s at 1, {together:5.0f}/s at {SIDE_BY_SIDE}",
        )
    show("sandbox: akili, from nothing to the first result", f"{cold:.1f} ms")
    if "bubblewrap" not in runs:
        pytest.skip("bubblewrap is not installed: nothing to compare with")
    ours, theirs = figures["akili"], figures["bubblewrap"]
    assert ours[0] < theirs[0], "p50"
    assert ours[2] > theirs[2], "commands/s at 1"
    # where others want the processors too, these come out now one way, now the other
    assert ours[1] < CONTENDED * theirs[1], "p99"
    assert CONTENDED * ours[3] > theirs[3], "commands/s at 8"


def held(sandbox: ProcessSandbox) -> dict[str, int]:
    """Count what akili and its zygote hold."""
    own, zygote = Path("/proc/self"), Path(f"/proc/{sandbox._zygote.process_id}")

    def kib(process: Path) -> int:
        return int((process / "statm").read_text().split()[1]) * resource.getpagesize() >> 10

    return {
        "descriptors of akili": len(os.listdir(own / "fd")),
        "descriptors of the zygote": len(os.listdir(zygote / "fd")),
        "children of the zygote": len((zygote / f"task/{zygote.name}/children").read_text().split()),
        "KiB of akili": kib(own),
        "KiB of the zygote": kib(zygote),
    }


async def endure(count: int) -> None:
    """Run many commands at concurrency 8 and check that nothing is left of them: it took 40 to 65 s for 10,000."""
    with tempfile.TemporaryDirectory() as folder:
        sandbox = ProcessSandbox(SandboxSettings(), Path(folder), SystemClock())
        run = ways(sandbox)["akili"]
        await rate(run, SIDE_BY_SIDE, 200)
        await asyncio.sleep(1)
        before = held(sandbox)
        per_s = await rate(run, SIDE_BY_SIDE, count)
        await asyncio.sleep(1)
        after, left = held(sandbox), len(list(Path(folder).iterdir()))
        await sandbox.close()
    show(f"sandbox: {count} commands at {SIDE_BY_SIDE} at once", f"{per_s:.0f}/s")
    for name, number in before.items():
        show(f"  {name}", f"{number} -> {after[name]}")
        assert after[name] <= number + (GROWTH_KIB if name.startswith("KiB") else 0), f"{name} grew"
    show("  scratch directories left", str(left))
    assert left == 0


if __name__ == "__main__":
    if len(sys.argv) == 1:
        asyncio.run(test_confinement_costs_less_than_bubblewraps())
    asyncio.run(endure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
