from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.core.schedule.base import Fire, FireStatus, Reached
from akili_cli.features.heartbeats.ending import correlation_of
from akili_cli.features.heartbeats.worker import HeartbeatFiles
from tests.fakes.heartbeats import ANN, HeartbeatRoom, open_heartbeat_room, task, task_file
from tests.fakes.steps import DictSteps


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[HeartbeatRoom]:
    async with open_heartbeat_room(tmp_path, quick_task_timeout_seconds=7, long_task_timeout_seconds=8) as opened:
        yield opened


async def fire_of(room: HeartbeatRoom, text: str, *, manual: bool = False) -> Fire:
    room.write(text)
    await room.sync()
    job = await room.service.to_trigger("ops/look")
    return Fire(
        id=f"heartbeat:{job.id}:x",
        org="default",
        kind="heartbeat",
        job_id=job.id,
        fire_at=0.0,
        user="ben",
        payload=job.payload,
        node="n1",
        manual=manual,
    )


async def test_what_the_ticker_is_told(room: HeartbeatRoom) -> None:
    room.write(task_file())
    await room.sync()
    db, now = room.bench.db, room.bench.clock.now()
    assert (room.schedule.poll_s, room.schedule.max_running, room.schedule.durable) == (30.0, 3, True)
    assert await db.read(lambda c: room.schedule.next_at(c, "default")) == now + 60
    (job,) = await db.write(lambda c: room.schedule.due(c, "default", now + 60, 5))
    assert (job.user, job.cron, job.payload["name"]) == ("ann", "* * * * *", "look")
    await db.write(lambda c: room.schedule.advance(c, "default", job.id, now + 600))
    assert await db.write(lambda c: room.schedule.due(c, "default", now + 60, 5)) == []


@pytest.mark.parametrize(("mode", "seconds"), [("quick", 7.0), ("long", 8.0)])
async def test_a_goal_is_the_fires_users_with_the_time_of_its_mode(
    room: HeartbeatRoom, mode: str, seconds: float
) -> None:
    fire = await fire_of(room, task_file(task("look", f"mode: {mode}")))
    ended = await room.schedule.run(fire, DictSteps())
    (goal,) = room.agent.goals
    assert (goal.user, goal.timeout_s, goal.correlation_id) == ("ben", seconds, correlation_of(fire.id))
    assert (ended.status, ended.summary, ended.run_id, ended.details["tokens"]) == ("ok", "all is well", "r1", 7)


@pytest.mark.parametrize(
    ("status", "fire_status", "result"),
    [
        ("failed", FireStatus.FAILED, "failure"),
        ("unavailable", FireStatus.FAILED, "failure"),
        ("timeout", FireStatus.TIMEOUT, "timeout"),
        ("denied", FireStatus.DENIED, "denied"),
        ("approval_required", FireStatus.DENIED, "awaiting_approval"),
        ("budget_exceeded", FireStatus.BUDGET_EXCEEDED, "budget_exceeded"),
        ("interrupted", FireStatus.INTERRUPTED, "interrupted"),
    ],
)
async def test_an_end_that_is_not_good_says_so(
    room: HeartbeatRoom, status: str, fire_status: FireStatus, result: str
) -> None:
    room.agent.reached = Reached(status=status, answer="", run_id="r", denials=("no",))
    ended = await room.schedule.run(await fire_of(room, task_file()), DictSteps())
    assert (ended.status, ended.details["result"], ended.error) == (fire_status, result, "no")


async def test_a_run_that_is_entered_again_does_what_the_task_said_at_first(room: HeartbeatRoom) -> None:
    kept: dict[str, str] = {}
    fire = await fire_of(room, task_file())
    await room.schedule.run(fire, DictSteps(kept))
    await fire_of(room, task_file(task(prompt="Another thing.")))
    await room.schedule.run(fire, DictSteps(kept))
    assert [goal.text for goal in room.agent.goals] == ["Is all well?"] * 2


async def test_a_task_that_left_its_file_meanwhile_does_not_run(room: HeartbeatRoom) -> None:
    fire = await fire_of(room, task_file())
    (room.folder / "a.md").unlink()
    await room.sync()
    ended = await room.schedule.run(fire, DictSteps())
    assert (ended.status, ended.error, room.agent.goals) == (
        FireStatus.FAILED,
        "its file no longer holds this task",
        [],
    )


async def test_a_persons_run_passes_the_gates(room: HeartbeatRoom) -> None:
    text = task_file(task("look", "precheck: command exit 1", "max_runs_per_day: 1"))
    for manual, asked in ((False, 0), (True, 1), (True, 2)):
        fire = await fire_of(room, text, manual=manual)
        await room.schedule.run(fire, DictSteps())
        assert len(room.agent.goals) == asked


async def test_a_failing_gate_asks_no_model(room: HeartbeatRoom) -> None:
    fire = await fire_of(room, task_file(task("look", "precheck: command exit 1")))
    ended = await room.schedule.run(fire, DictSteps())
    assert (ended.status, room.agent.goals) == (FireStatus.FAILED, [])
    assert ended.error.startswith("precheck: ")


async def test_the_chore_reads_the_files_and_logs_a_problem_once(
    room: HeartbeatRoom, caplog: pytest.LogCaptureFixture
) -> None:
    chore = HeartbeatFiles(room.service, ANN, 60.0)
    room.write("nothing")
    for _ in range(3):
        await chore.tick(0.0)
    assert [r.getMessage().partition(": ")[0] for r in caplog.records] == ["a heartbeat file has a problem"]
    room.write(task_file())
    await chore.tick(0.0)
    room.write("nothing")
    await chore.tick(0.0)
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 2
    assert (chore.name, chore.every_s) == ("heartbeat files", 60.0)
