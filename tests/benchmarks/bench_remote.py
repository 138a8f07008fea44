"""How long `akili query` against a gateway takes beyond the gateway itself, beside an empty interpreter, in turn."""

from __future__ import annotations

import os
import sys
import tempfile

from tests.benchmarks.figures import Cost, median, process, show
from tests.fakes.gateway_server import CARD, answer, done, gateway_thread, started, stream, text

RUNS = 25
LIMIT_MS = 120.0
AKILI = [sys.executable, "-m", "akili_cli"]


def main() -> None:
    routes = {
        "POST /v1/query/stream": stream(started(), text(2, "all well"), done(3)),
        "GET /v1/approvals?status=pending&limit=200": answer([CARD]),
    }
    with tempfile.TemporaryDirectory() as home, gateway_thread(routes) as server:
        env = {**os.environ, "HOME": home, "AKILI_GATEWAY_URL": server.url, "AKILI_API_KEY": "a-key-for-the-bench"}
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "akili query -m ... (gateway that answers at once)": [*AKILI, "query", "-m", "go"],
            "akili query -m ... --json": [*AKILI, "query", "-m", "go", "--json"],
            "akili query -m ... --stream": [*AKILI, "query", "-m", "go", "--stream"],
            "akili approvals list": [*AKILI, "approvals", "list"],
        }
        for argv in commands.values():
            process(argv, env, home)
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, argv in commands.items():
                costs[name].append(process(argv, env, home))
    empty = median([cost.wall_s for cost in costs["python -c pass"]])
    idle = median([cost.cpu_s for cost in costs["python -c pass"]])
    for name, seen in costs.items():
        wall, rss = median([cost.wall_s for cost in seen]), median([cost.rss_mib for cost in seen])
        added, worked = (wall - empty) * 1000, (median([cost.cpu_s for cost in seen]) - idle) * 1000
        word = "" if added <= LIMIT_MS else f"  MORE THAN {LIMIT_MS:.0f} ms"
        show(name, f"{wall * 1000:7.1f} ms  (+{added:6.1f} ms, processor +{worked:5.1f} ms)  {rss:6.1f} MiB{word}")


if __name__ == "__main__":
    main()
