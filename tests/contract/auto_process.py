"""Run as a program of its own: asks for the same call many times and prints how often it went through by itself."""

from __future__ import annotations

import asyncio
import sys

from akili_cli.domain.decisions import Permit
from tests.contract.places import Place, open_place
from tests.contract.test_grants import AUTO, request_of
from tests.fakes.clock import FakeClock
from tests.fakes.wiring import queue_on


async def main(place: Place, times: int) -> None:
    database = await open_place(place)
    queue = queue_on(database, FakeClock(), **AUTO)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    settled = await asyncio.gather(*(queue.settle(request_of()) for _ in range(times)))
    sys.stdout.write(f"{sum(isinstance(one, Permit) for one in settled)}\n")
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(Place(*sys.argv[1:4]), int(sys.argv[4])))
