from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.engine.backends.inline import DirectSteps
from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.schema import STEPS
from akili_cli.core.schedule import store
from akili_cli.core.schedule.base import Ended, Fire, FireStatus
from akili_cli.core.schedule.player import Player
from akili_cli.domain.errors import AuditError, StorageError
from tests.fakes.clock import FakeClock
from tests.fakes.schedule import PROBE_STEP, ProbeSchedule

FIRE = Fire(
    id="probe:j:1", org="default", kind="probe", job_id="j", fire_at=1.0, user="ann", payload={}, node="n1", attempt=1
)


async def _recorded(_fire: Fire, _ended: Ended | None) -> None:
    pass


async def test_an_error_ends_the_fire_with_its_words(tmp_path: Path) -> None:
    async def fails(_fire: Fire, _steps: Steps) -> Ended:
        raise StorageError("it is full", hint="make room")

    clock = FakeClock()
    db = await open_sqlite(tmp_path / "a.db", steps=(*STEPS, PROBE_STEP))
    await db.write(lambda c: store.add(c, FIRE, FireStatus.RUNNING, 1.0))
    player = Player(db, "default", "n1", [ProbeSchedule(fails)], _recorded, clock)
    ended = await player.play(FIRE.id, DirectSteps(FIRE.id, clock))
    await db.close()
    assert ended == Ended(status=FireStatus.FAILED, error="it is full (make room)", duration_s=0.0)


async def test_without_a_record_of_its_begin_nothing_runs(tmp_path: Path) -> None:
    async def no_audit(_fire: Fire, _ended: Ended | None) -> None:
        raise AuditError("the disk is full")

    clock, schedule = FakeClock(), ProbeSchedule()
    db = await open_sqlite(tmp_path / "a.db", steps=(*STEPS, PROBE_STEP))
    await db.write(lambda c: store.add(c, FIRE, FireStatus.RUNNING, 1.0))
    player = Player(db, "default", "n1", [schedule], no_audit, clock)
    with pytest.raises(AuditError):
        await player.play(FIRE.id, DirectSteps(FIRE.id, clock))
    await db.close()
    assert schedule.ran == []


def test_it_has_a_body_for_each_kind(tmp_path: Path) -> None:
    player = Player(None, "default", "n1", [ProbeSchedule()], _recorded, FakeClock())  # type: ignore[arg-type]  # unused
    assert set(player.bodies()) == {"probe"}
