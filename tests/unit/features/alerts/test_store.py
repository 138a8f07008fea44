from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.features.alerts import store
from akili_cli.features.alerts.model import Check, Seen, Standing, State
from tests.fakes.alerts import rule

STATE = State(
    status=Standing.ALERT,
    announced=Standing.FLAPPING,
    recent=(Seen(Standing.OK, turned=False), Seen(Standing.ALERT, turned=True)),
    flapping=True,
    last_checked_at=2.0,
    last_alerted_at=1.0,
)


async def test_a_rule_is_read_back_as_it_was_and_due_ones_come_oldest_first(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "a.db")
    late = rule(id="late", name="late", next_run_at=5.0, state=STATE, check=Check("tcp", "a:1", {"k": "v"}))
    early = rule(id="early", name="early", next_run_at=3.0, muted_until=9.0)
    for one in (late, early, rule(id="off", name="off", next_run_at=1.0, enabled=False)):
        await db.write(lambda c, one=one: store.add(c, one))
    assert await db.write(lambda c: store.due(c, "default", 9.0, 5)) == [early, late]
    assert await db.write(lambda c: store.due(c, "default", 9.0, 1)) == [early]
    assert await db.read(lambda c: store.next_at(c, "default")) == 3.0
    await db.write(lambda c: store.hasten(c, "default", "late", 4.0))
    await db.write(lambda c: store.hasten(c, "default", "early", 8.0))
    assert [one.next_run_at for one in await db.read(lambda c: store.rules(c, "default"))] == [3.0, 4.0, 1.0]
    await db.close()


async def test_what_people_say_and_what_checks_find_do_not_overwrite_each_other(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "a.db")
    old = rule()
    await db.write(lambda c: store.add(c, old))
    await db.write(lambda c: store.change(c, replace(old, description="new")))
    await db.write(lambda c: store.settle(c, replace(old, state=STATE)))
    await db.write(lambda c: store.change(c, replace(old, description="newer")))
    assert await db.read(lambda c: store.get(c, "default", "r1")) == replace(old, description="newer", state=STATE)
    await db.write(lambda c: store.forget_recent(c, old))
    after = await db.read(lambda c: store.get(c, "default", "r1"))
    assert after is not None
    assert (after.state.recent, after.state.flapping, after.state.status) == ((), False, "alert")
    await db.close()
