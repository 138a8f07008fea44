"""Run as a program of its own: a node that plays runs which write each step to a file, until it is killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from akili_cli.adapters.engine.backends.dbos import open_dbos
from akili_cli.adapters.engine.base import Json, Steps

STEPS = 6


async def play(node: str, where: Path | str, log: Path, verb: str) -> None:
    async def body(steps: Steps, _payload: Mapping[str, Json]) -> Json:
        for number in range(STEPS):

            async def act(number: int = number) -> Json:
                with log.open("a") as file:
                    file.write(f"{node} {steps.run_id} {number}\n")
                return number

            await steps.step(f"step {number}", act)
            await steps.sleep(0.1)
        return "whole"

    engine = open_dbos(node, {"job": body}, where, poll_s=0.05)
    if verb == "start":
        await engine.start("job:1", "job", {})
    else:
        lost = await engine.unfinished(["first"])
        await engine.resume([run.id for run in lost])
    run = await engine.wait("job:1")
    sys.stdout.write(f"{run.state} {run.result}\n")
    await engine.close()


if __name__ == "__main__":
    _, node_, where_, log_, verb_ = sys.argv
    asyncio.run(play(node_, where_ if "://" in where_ else Path(where_), Path(log_), verb_))
