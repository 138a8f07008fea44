from __future__ import annotations

from pathlib import Path

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.features.cron import store
from tests.fakes.cron import job


async def test_a_job_is_read_back_as_it_was_and_due_ones_come_oldest_first(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "a.db")
    late = job(id="late", name="late", next_run_at=5.0, notify=("a", "b"), budget_limit_usd=0.25)
    early = job(id="early", name="early", next_run_at=3.0)
    for one in (late, early, job(id="off", name="off", next_run_at=1.0, enabled=False)):
        await db.write(lambda c, one=one: store.add(c, one))
    assert await db.write(lambda c: store.due(c, "default", 9.0, 5)) == [early, late]
    assert await db.write(lambda c: store.due(c, "default", 9.0, 1)) == [early]
    assert await db.read(lambda c: store.next_at(c, "default")) == 3.0
    await db.write(lambda c: store.advance(c, "default", "early", 7.0))
    assert await db.read(lambda c: store.next_at(c, "default")) == 5.0
    await db.close()
