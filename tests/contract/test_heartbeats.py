from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.storage.base import Database
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.schedule import store as fires
from akili_cli.core.schedule.base import Reached
from akili_cli.domain.messages import Usage
from akili_cli.features.heartbeats import store
from tests.fakes.heartbeats import ANN, HeartbeatRoom, open_heartbeat_room, task, task_file
from tests.fakes.models import ScriptedModel

FAILED = Reached(status="failed", answer="", run_id="r2", error="the model is unreachable", cost_usd=0.0)


@pytest.fixture
async def room(db: Database, tmp_path: Path) -> AsyncIterator[HeartbeatRoom]:
    async with open_heartbeat_room(tmp_path, db=db) as opened:
        yield opened


async def test_a_file_becomes_tasks_that_run_and_leave_results(room: HeartbeatRoom) -> None:
    room.write(task_file(task("look", "budget_usd: 0.05"), task("dig", "mode: long", prompt="Dig.")))
    assert (await room.sync()).added == ("ops/look", "ops/dig")
    await room.tick()
    assert {(g.text, g.user, g.source, g.max_cost_usd, g.timeout_s) for g in room.agent.goals} == {
        ("Is all well?", "ann", "heartbeat", 0.05, 60.0),
        ("Dig.", "ann", "heartbeat", 0.50, 300.0),
    }
    results = await room.results()
    assert [(r.status, r.summary, r.tokens, r.cost_usd, r.error) for r in results] == [
        ("success", "all is well", 7, 0.01, "")
    ] * 2
    assert all(r.correlation_id.startswith("hbt-") and len(r.correlation_id) == 12 for r in results)
    assert {g.correlation_id for g in room.agent.goals} == {r.correlation_id for r in results}
    looked = (await room.tasks())["ops/look"]
    assert (looked.last_status, looked.last_error, looked.last_summary, looked.runs_today) == (
        "success",
        "",
        "all is well",
        1,
    )
    (entry,) = await AuditReader(room.bench.db, "default").tail(1)
    assert (entry.record.tool, entry.record.parameters["added"]) == ("heartbeats.sync", ["ops/look", "ops/dig"])


async def test_nothing_is_written_while_the_files_stay_the_same(room: HeartbeatRoom) -> None:
    room.write(task_file())
    await room.sync()
    entries = len(await room.bench.records())
    again = await room.sync()
    assert (again.added, again.changed, again.removed, again.news) == ((), (), (), False)
    assert len(await room.bench.records()) == entries


async def test_an_unchanged_schedule_keeps_its_next_run_whatever_else_changes(room: HeartbeatRoom) -> None:
    room.write(task_file(cron="0 9 * * *"))
    await room.sync()
    before = (await room.tasks())["ops/look"]
    room.bench.clock.move(86_400 * 3)
    room.write(task_file(task(prompt="Is it still well?"), cron="0 9 * * *"))
    assert (await room.sync()).changed == ("ops/look",)
    after = (await room.tasks())["ops/look"]
    assert (after.id, after.next_run_at) == (before.id, before.next_run_at)
    assert after.spec.prompt == "Is it still well?"
    room.write(task_file(cron="0 10 * * *"))
    await room.sync()
    assert (await room.tasks())["ops/look"].next_run_at > room.bench.clock.now()


async def test_a_task_that_leaves_or_changes_its_name_in_a_file_is_removed(room: HeartbeatRoom) -> None:
    room.write(task_file(task("one"), task("two"), task("three")))
    await room.sync()
    room.write(task_file(task("one"), task("second")))
    synced = await room.sync()
    assert (synced.added, set(synced.removed)) == (("ops/second",), {"ops/two", "ops/three"})
    await room.tick()
    assert {r.name for r in await room.results()} == {"one", "second"}


async def test_a_file_deleted_while_akili_was_down_is_cleaned_up_at_start(room: HeartbeatRoom, db: Database) -> None:
    path = room.write(task_file())
    await room.sync()
    path.unlink()
    fresh = replace(room.service)  # another process: it knows nothing but the database
    assert (await fresh.sync(ANN)).removed == ("ops/look",)
    await room.tick()
    assert room.agent.goals == []
    assert await db.read(lambda c: store.files(c, "default")) == []


async def test_a_file_that_comes_back_revives_its_tasks_with_their_history(room: HeartbeatRoom) -> None:
    path = room.write(task_file())
    await room.sync()
    await room.tick()
    before = (await room.tasks())["ops/look"]
    text = path.read_text()
    path.unlink()
    await room.sync()
    assert await room.tasks() == {}
    room.bench.clock.move(7200)
    room.write(text, "b.md")
    await room.sync()
    after = (await room.tasks())["ops/look"]
    assert (after.id, after.last_status) == (before.id, "success")
    assert after.next_run_at == room.bench.clock.now() + 60
    await room.tick()
    assert len(await room.results()) == 2


async def test_a_file_that_moves_keeps_its_tasks(room: HeartbeatRoom) -> None:
    path = room.write(task_file(cron="0 9 * * *"))
    await room.sync()
    before = (await room.tasks())["ops/look"]
    path.rename(room.folder / "z.md")
    synced = await room.sync()
    after = (await room.tasks())["ops/look"]
    assert (synced.added, synced.removed, after.id, after.next_run_at) == ((), (), before.id, before.next_run_at)
    assert after.spec.path.endswith("z.md")


async def test_bad_files_are_reported_and_good_ones_kept(room: HeartbeatRoom, db: Database) -> None:
    room.write(task_file())
    room.write("no front matter", "bad.md")
    room.write(task_file(task("ok"), task("wrong", "cron: sometimes"), name="half"), "half.md")
    synced = await room.sync()
    assert set(synced.added) == {"ops/look", "half/ok"}
    assert [p.rpartition("/")[2][:9] for p in synced.problems] == ["bad.md:1:", "half.md:1"]
    stored = await db.read(lambda c: store.files(c, "default"))
    assert {Path(file.path).name: bool(file.problems) for file in stored} == {
        "a.md": False,
        "bad.md": True,
        "half.md": True,
    }


async def test_the_file_that_had_a_name_first_keeps_it(room: HeartbeatRoom) -> None:
    room.write(task_file(task("mine")), "z.md")
    await room.sync()
    room.write(task_file(task("theirs")), "a.md")
    synced = await room.sync()
    assert set(await room.tasks()) == {"ops/mine"}
    assert "the name 'ops' is taken by" in synced.problems[0]
    assert "a.md:2" in synced.problems[0]


async def test_a_file_that_others_may_write_stops_its_tasks(room: HeartbeatRoom) -> None:
    path = room.write(task_file())
    await room.sync()
    path.chmod(0o666)
    synced = await room.sync()
    assert synced.removed == ("ops/look",)
    assert "can be written by others (mode 0666)" in synced.problems[0]
    path.chmod(0o644)
    await room.sync()
    assert set(await room.tasks()) == {"ops/look"}


async def test_a_disabled_file_is_known_and_does_not_run(room: HeartbeatRoom) -> None:
    room.write(task_file(more="enabled: false"))
    await room.sync()
    await room.tick()
    assert (set(await room.tasks()), room.agent.goals) == ({"ops/look"}, [])
    room.write(task_file())
    await room.sync()
    await room.tick()
    assert len(room.agent.goals) == 1


async def test_a_user_nobody_named_is_the_default_user(room: HeartbeatRoom) -> None:
    room.write(task_file(user=None))
    await room.sync()
    await room.tick()
    assert [goal.user for goal in room.agent.goals] == ["system"]


async def test_an_unknown_channel_is_said_and_its_task_runs(room: HeartbeatRoom) -> None:
    room.write(task_file(more="notification_channels: [ops, nowhere]"))
    synced = await room.sync()
    assert [p.partition(": ")[2] for p in synced.problems] == ["notification_channels: there is no channel 'nowhere'"]
    room.agent.reached = FAILED
    await room.tick()
    (result,) = await room.results()
    assert (result.notified_via, dict(result.notify_errors)) == (("ops",), {"nowhere": "there is no channel 'nowhere'"})


async def test_no_change_behind_the_gate_asks_no_model_in_100_ticks(db: Database, tmp_path: Path) -> None:
    watched = tmp_path / "state"
    watched.write_text("quiet")
    model = ScriptedModel("all is well", usage=Usage(10, 5))
    async with open_heartbeat_room(tmp_path, db=db, model=model) as room:
        room.write(task_file(task("look", f"precheck: file {watched}")))
        await room.sync()
        await room.tick()
        assert len(model.requests) == 1  # nothing was seen before
        for _ in range(100):
            await room.tick()
        assert len(model.requests) == 1
        looked = (await room.tasks())["ops/look"]
        assert (looked.unchanged, looked.last_status, looked.runs_today) == (100, "success", 1)
        assert len(await room.results()) == 1
        history = await db.read(lambda c: fires.history(c, "default", "heartbeat", None, 1000))
        assert len(history) == 101
        watched.write_text("changed")
        await room.tick()
        assert len(model.requests) == 2
        await room.tick()
        assert len(model.requests) == 2


async def test_a_failed_run_is_tried_again_though_nothing_changed(room: HeartbeatRoom, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("quiet")
    room.write(task_file(task("look", f"precheck: file {tmp_path / 'state'}")))
    await room.sync()
    room.agent.reached = FAILED
    await room.tick()
    await room.tick()
    assert len(room.agent.goals) == 2
    room.agent.reached = replace(FAILED, status="ok", error="")
    await room.tick()
    await room.tick()
    assert len(room.agent.goals) == 3


async def test_another_prompt_forgets_what_the_gate_saw(room: HeartbeatRoom, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("quiet")
    gate = f"precheck: file {tmp_path / 'state'}"
    room.write(task_file(task("look", gate)))
    await room.sync()
    await room.tick()
    room.write(task_file(task("look", gate, prompt="Another thing.")))
    await room.sync()
    await room.tick()
    assert [goal.text for goal in room.agent.goals] == ["Is all well?", "Another thing."]


async def test_a_failing_gate_is_an_error_and_recovery_is_told(db: Database, tmp_path: Path) -> None:
    watched = tmp_path / "state"
    watched.write_text("quiet")
    async with open_heartbeat_room(tmp_path, db=db) as room:
        room.write(task_file(task("look", f"precheck: file {watched}"), more="notification_channels: [ops]"))
        await room.sync()
        await room.tick()
        watched.rename(tmp_path / "away")
        await room.tick()
        await room.tick()
        (tmp_path / "away").rename(watched)
        await room.tick()
        await room.tick()
        assert [r.status for r in await room.results()] == ["success", "failure", "failure", "unchanged"]
        assert [n.metadata["status"] for n in room.outbox.notices] == ["failure", "unchanged"]
        assert len(room.agent.goals) == 1


async def test_the_daily_cap_leaves_runs_out_until_the_next_day(db: Database, tmp_path: Path) -> None:
    async with open_heartbeat_room(tmp_path, db=db, max_runs_per_day=5) as room:
        room.write(task_file(task("few", "max_runs_per_day: 2"), task("five")))
        await room.sync()
        for _ in range(20):
            await room.tick()
        tasks = await room.tasks()
        assert {t: (one.runs_today, one.skipped_today) for t, one in tasks.items()} == {
            "ops/few": (2, 18),
            "ops/five": (5, 15),
        }
        skipped = [r for r in await room.results() if r.status == "skipped"]
        assert [(r.name, r.summary) for r in skipped if r.name == "few"] == [
            ("few", "it ran 2 times today, and may 2 times")
        ]
        assert tasks["ops/few"].last_status == "success"
        await room.tick(86_400)
        assert (await room.tasks())["ops/few"].runs_today == 1


async def test_two_nodes_run_each_fire_once(db: Database, tmp_path: Path) -> None:
    from akili_cli.adapters.engine.backends.inline import InlineEngine
    from akili_cli.core.schedule.player import Player
    from akili_cli.core.schedule.ticker import Ticker
    from tests.fakes.heartbeats import _unrecorded

    async with open_heartbeat_room(tmp_path, db=db, max_concurrent_tasks=50) as room:
        room.write(task_file(*(task(f"t{n}") for n in range(30))))
        await room.sync()
        player = Player(db, "default", "n2", [room.schedule], _unrecorded, room.bench.clock)
        engine = InlineEngine("n2", player.bodies(), room.bench.clock)
        other = Ticker(db, "default", "n2", player, engine, room.bench.clock)
        await other.begin()
        room.bench.clock.move(60)
        await asyncio.gather(room.ticker.tick(), other.tick())
        for ticker in (room.ticker, other):
            while tasks := [one for kind in ticker._tasks.values() for one in kind]:
                await asyncio.wait(tasks)
        assert len(room.agent.goals) == 30
        assert len({r.id for r in await room.results()}) == 30
