"""Delivers what is due, as a process of its own that a test can kill: ``outbox_process DIRECTORY JSON``."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.contract.places import Place, open_place
from tests.fakes.notifications import open_room


async def main(directory: Path, given: dict[str, object]) -> None:
    db = await open_place(Place(*given["place"]))  # type: ignore[misc]
    private = tuple(given["private"])  # type: ignore[var-annotated, arg-type]
    async with open_room(directory, db=db, settings=given["settings"], env=given["env"], private=private) as room:  # type: ignore[arg-type]
        await room.tick()
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
