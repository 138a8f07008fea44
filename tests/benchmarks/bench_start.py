"""How long a user waits for the command line itself, beside an empty interpreter, in turn, in one run."""

from __future__ import annotations

import os
import sys
import tempfile

from tests.benchmarks.figures import Cost, median, process, show

RUNS = 15
AKILI = [sys.executable, "-m", "akili_cli"]
QUERY = [*AKILI, "query", "-m", "Is this host healthy?"]


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "HOME": home}
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "akili --version": [*AKILI, "--version"],
            "akili --help": [*AKILI, "--help"],
            "akili query --help": [*AKILI, "query", "--help"],
            "akili query (built-in provider, health check)": QUERY,
        }
        for argv in commands.values():
            process(argv, env, home)
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, argv in commands.items():
                costs[name].append(process(argv, env, home))
    empty = median([cost.wall_s for cost in costs["python -c pass"]])
    for name, seen in costs.items():
        wall = median([cost.wall_s for cost in seen])
        rss = median([cost.rss_mib for cost in seen])
        added = (wall - empty) * 1000
        show(name, f"{wall * 1000:7.1f} ms  (+{added:6.1f} ms, {wall / empty:5.1f} x)  {rss:6.1f} MiB")


if __name__ == "__main__":
    main()
