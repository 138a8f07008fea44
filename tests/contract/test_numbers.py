"""What the metrics page and readiness read and write, on every database."""

from __future__ import annotations

from akili_cli.adapters.storage.base import Database
from akili_cli.core.approvals import store as approvals
from akili_cli.core.schedule import store
from akili_cli.core.schedule.base import Fire, FireStatus


async def test_open_fires_are_counted_by_kind_and_status_of_one_organisation(db: Database) -> None:
    def fire(name: str, org: str = "default") -> Fire:
        kind = name.partition(":")[0]
        return Fire(id=name, org=org, kind=kind, job_id=name, fire_at=1.0, user="ann", payload={}, node="n")

    for name, status in (("cron:a", "running"), ("cron:b", "running"), ("cron:c", "waiting"), ("alert:a", "ok")):
        await db.write(lambda c, name=name, status=status: store.add(c, fire(name), FireStatus(status), 1.0))  # type: ignore[misc] # bound at once
    counted = await db.read(lambda c: store.count_open(c, "default"))
    assert counted == [("cron", "running", 2), ("cron", "waiting", 1)]
    assert await db.read(lambda c: store.count_open(c, "other")) == []


async def test_a_touch_writes_and_says_nothing_of_being_alive(db: Database) -> None:
    await db.write(lambda c: store.begin_node(c, "n", "host", 1, "v", now=5.0, dead_before=0.0))
    await db.write(lambda c: store.touch(c, "n"))
    assert [row["seen_at"] for row in await db.read(store.nodes)] == [5.0]


async def test_nobody_waits_where_nothing_was_asked(db: Database) -> None:
    assert await db.read(lambda c: approvals.count_pending(c, "default", 1.0)) == 0
