from __future__ import annotations

import re
from pathlib import Path

import pytest

from akili_cli.core.schedule.base import Reached
from akili_cli.features.heartbeats.ending import correlation_of, day_of, notice_of
from akili_cli.features.heartbeats.model import HeartbeatResult, ResultStatus
from tests.fakes.heartbeats import HeartbeatRoom, open_heartbeat_room, task_file

OPS = "notification_channels: [ops]"
GOOD = Reached(status="ok", answer="all is well", run_id="r1")
BAD = Reached(status="failed", answer="disk full on /var", run_id="r2", error="it failed")
LATE = Reached(status="timeout", answer="", run_id="r3", error="the run took longer than 60 s")


async def play(room: HeartbeatRoom, *ends: Reached) -> list[tuple[str, str]]:
    room.write(task_file(more=OPS))
    await room.sync()
    for end in ends:
        room.agent.reached = end
        await room.tick()
    return [(notice.metadata["status"], notice.subject) for notice in room.outbox.notices]


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        ("always", ["success", "failure", "failure", "timeout", "success"]),
        ("failure", ["failure", "failure", "timeout"]),
        ("change", ["failure", "timeout", "success"]),
    ],
)
async def test_channels_hear_what_the_setting_says(tmp_path: Path, notify: str, told: list[str]) -> None:
    async with open_heartbeat_room(tmp_path, notify=notify) as room:
        heard = await play(room, GOOD, BAD, BAD, LATE, GOOD)
        assert [status for status, _ in heard] == told
        assert heard[0][1] == f"Heartbeat task ops/look: {told[0]}"
        via = [bool(result.notified_via) for result in await room.results()]
        assert sum(via) == len(told)
        notice = room.outbox.notices[0]
        assert (notice.channels, notice.user, notice.source) == (("ops",), "ann", "heartbeat")
        assert set(notice.metadata) == {"task_id", "task_name", "status", "correlation_id"}
        assert "duration: " in notice.body


async def test_a_proactive_message_takes_the_place_of_the_failure_notice(tmp_path: Path) -> None:
    async with open_heartbeat_room(tmp_path, notify="always", proactive_alerts=True) as room:
        heard = await play(room, GOOD, BAD)
        assert [subject for _, subject in heard] == [
            "Heartbeat task ops/look: success",
            "Heartbeat task ops/look: issue detected, awaiting guidance",
        ]
        notice = room.outbox.notices[1]
        assert (notice.metadata["severity"], notice.metadata["source"]) == ("critical", "heartbeat_proactive")
        assert "disk full on /var" in notice.body
        assert len({one.key for one in room.outbox.notices}) == 2


async def test_without_channels_nobody_is_told(tmp_path: Path) -> None:
    async with open_heartbeat_room(tmp_path, notify="always") as room:
        room.write(task_file())
        await room.sync()
        await room.tick()
        assert room.outbox.notices == []
        assert [result.notified_via for result in await room.results()] == [()]


async def test_the_books_of_a_failure_are_its_error_and_of_success_none(tmp_path: Path) -> None:
    async with open_heartbeat_room(tmp_path) as room:
        await play(room, BAD)
        (task,) = (await room.tasks()).values()
        assert (task.last_status, task.last_error, task.last_run_id) == ("failure", "it failed", "r2")
        await play(room, GOOD)
        (task,) = (await room.tasks()).values()
        assert (task.last_status, task.last_error, task.last_summary) == ("success", "", "all is well")


def test_a_long_story_is_cut_to_its_beginning() -> None:
    result = HeartbeatResult(
        id="f",
        org="default",
        task_id="t",
        group="g",
        name="n",
        user="ann",
        status=ResultStatus.FAILURE,
        output="x" * 5000,
        summary="",
        error="",
        run_id="",
        correlation_id="hbt-0",
        tokens=0,
        cost_usd=None,
        duration_s=1.0,
        ended_at=0.0,
    )
    body = notice_of(result, ("ops",), proactive=True).body
    assert body.count("x") == 500
    assert "severity: medium" in body


def test_ids_and_days_are_made_of_what_is_known() -> None:
    fire = "heartbeat:j:2026-02-17T12:30:00Z"
    assert re.fullmatch(r"hbt-[0-9a-f]{8}", correlation_of(fire))
    assert correlation_of(fire) == correlation_of(fire) != correlation_of(fire + "x")
    assert day_of(86_400.0 * 365) == "1971-01-01"
