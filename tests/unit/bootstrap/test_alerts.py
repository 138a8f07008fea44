from __future__ import annotations

from pathlib import Path

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.bootstrap.alerts import job_finder
from akili_cli.features.cron import store as cron
from akili_cli.features.heartbeats import store as heartbeats
from akili_cli.features.heartbeats.model import HeartbeatTask, Mode, TaskSpec
from tests.fakes.cron import job


async def test_jobs_of_other_rooms_are_found_by_their_names(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "a.db")
    await db.write(lambda c: cron.add(c, job(id="j7", name="nightly")))
    spec = TaskSpec(
        group="disks",
        name="look",
        description="",
        path="/x.md",
        line=1,
        user=None,
        cron_expression="* * * * *",
        mode=Mode.QUICK,
        prompt="look",
        budget_usd=0.5,
    )
    beat = HeartbeatTask(id="h7", org="default", spec=spec, user="ann", next_run_at=0.0, created_at=0.0, updated_at=0.0)
    await db.write(lambda c: heartbeats.add(c, beat))
    find = job_finder(db, "default")
    assert await find("cron", "nightly") == "j7"
    assert await find("heartbeat", "disks/look") == "h7"
    assert await find("cron", "look") is None
    assert await find("heartbeat", "nightly") is None
    assert await job_finder(db, "other")("cron", "nightly") is None
    await db.close()
