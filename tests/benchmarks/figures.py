"""Shared by the benchmarks: medians, percentiles and one line a figure."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """One process: wall seconds, its largest memory in MiB, and processor seconds."""

    wall_s: float
    rss_mib: float
    cpu_s: float = 0.0


def process(argv: Sequence[str], env: dict[str, str] | None = None, cwd: str | None = None) -> Cost:
    """Run a command to its end, output thrown away, and measure it by the kernel's own account."""
    began = time.perf_counter()
    child = subprocess.Popen(
        argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _pid, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 2):
        sys.exit(f"{argv} ended with {child.returncode}")
    return Cost(wall, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def show(name: str, figure: str) -> None:
    print(f"{name:<58} {figure}", flush=True)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def own_rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
