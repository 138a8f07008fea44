"""Run as a program of its own: approves a held call and dies between its consumption and its effect."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal, ToolOutput
from akili_cli.domain.decisions import BUILT_IN, Permit, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError
from tests.contract.places import Place, open_place
from tests.fakes.tools import Look, PathArgs
from tests.fakes.wiring import call_of, open_bench, run_by


async def main(place: Place, audit: Path, mark: Path, how: str) -> None:
    asked = 0

    def effects(args: PathArgs) -> Effects:
        nonlocal asked
        asked += 1
        if how == "die" and asked == 2:  # the second look is the one after the approval was used up
            os.kill(os.getpid(), signal.SIGKILL)
        return Effects(reads=(args.path,))

    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        mark.touch()
        return ToolOutput("done")

    ask = Rule("ask", BUILT_IN, Verdict.ASK, Match(tools=("look",)), "ask")
    database = await open_place(place)
    async with open_bench(audit, [Look(act, effects=effects)], ask, db=database) as bench:
        if how == "die":
            await bench.pipeline.run(call_of(), run_by())
        (held,) = await bench.pipeline.approvals.list()
        try:
            await bench.pipeline.resume(held.id, Principal("ben"))
        except ConflictError as error:
            sys.stdout.write(f"{error}\n")
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(Place(*sys.argv[1:4]), Path(sys.argv[4]), Path(sys.argv[5]), sys.argv[6]))
