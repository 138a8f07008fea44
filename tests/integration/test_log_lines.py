"""Every line that is logged while a request or a run is handled names it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from akili_cli.adapters.engine.backends.inline import DirectSteps
from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.schema import STEPS
from akili_cli.adapters.telemetry.logs import JsonFormatter
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.schedule import store
from akili_cli.core.schedule.base import Ended, Fire, FireStatus
from akili_cli.core.schedule.player import Player
from akili_cli.domain.calls import Principal, Run, ToolCall, ToolOutput
from akili_cli.domain.decisions import Permit
from tests.fakes.clock import FakeClock
from tests.fakes.schedule import PROBE_STEP, ProbeSchedule
from tests.fakes.tools import Change, PathArgs
from tests.fakes.wiring import open_bench

LOG = logging.getLogger("test.lines")


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter(Redactor()))
        self.said: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(json.loads(self.format(record)))

    def ids(self) -> dict[str, object]:
        return {str(line["message"]): line.get("correlation_id") for line in self.said}


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    yield handler
    LOG.removeHandler(handler)


async def test_calls_side_by_side_each_name_their_own_run_and_nothing_is_left_behind(
    tmp_path: Path, lines: Lines
) -> None:
    async def says(args: PathArgs, _permit: Permit) -> ToolOutput:
        await asyncio.to_thread(LOG.info, f"in {args.path}")
        return ToolOutput("done")

    async with open_bench(tmp_path, [Change(says)]) as bench:
        calls = [
            bench.pipeline.run(ToolCall(str(n), "change", {"path": f"/{n}"}), Run(f"r{n}", Principal("ann"), f"id-{n}"))
            for n in range(8)
        ]
        await asyncio.gather(*calls)
        await bench.pipeline.run(ToolCall("9", "change", {"path": "/9"}), Run("r9", Principal("ann"), "id-9"))
        LOG.info("after")
    assert lines.ids() == {**{f"in /{n}": f"id-{n}" for n in (*range(8), 9)}, "after": None}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [({}, "probe:j:1"), ({"correlation_id": "c" * 16}, "c" * 16)],
    ids=["job", "question"],
)
async def test_a_fire_names_itself_or_the_request_that_it_answers(
    tmp_path: Path, lines: Lines, payload: dict[str, object], expected: str
) -> None:
    async def says(_fire: Fire, _steps: Steps) -> Ended:
        LOG.info("in the room")
        return Ended(status=FireStatus.OK)

    async def recorded(_fire: Fire, _ended: Ended | None) -> None:
        LOG.info("on record")

    fire = Fire(
        id="probe:j:1", org="default", kind="probe", job_id="j", fire_at=1.0, user="ann", payload=payload, node="n1"
    )
    clock = FakeClock()
    db = await open_sqlite(tmp_path / "a.db", steps=(*STEPS, PROBE_STEP))
    await db.write(lambda c: store.add(c, fire, FireStatus.RUNNING, 1.0))
    player = Player(db, "default", "n1", [ProbeSchedule(says)], recorded, clock)
    await asyncio.create_task(player.play(fire.id, DirectSteps(fire.id, clock)))
    await db.close()
    assert set(lines.ids().values()) == {expected}
    assert set(lines.ids()) == {"in the room", "on record"}
