from __future__ import annotations

import json

from akili_cli.features.heartbeats.model import (
    HeartbeatResult,
    HeartbeatTask,
    Mode,
    Precheck,
    PrecheckKind,
    ResultStatus,
    TaskSpec,
    spec_dict,
)

SPEC = TaskSpec(
    group="g",
    name="n",
    description="",
    path="/a.md",
    line=5,
    user=None,
    cron_expression="0 9 * * *",
    mode=Mode.LONG,
    prompt="Do.",
    budget_usd=0.5,
    channels=("ops",),
    precheck=Precheck(PrecheckKind.FILE, "/x y"),
)


def test_a_task_is_shown_without_what_is_not_set() -> None:
    task = HeartbeatTask(
        id="t", org="default", spec=SPEC, user="ann", next_run_at=0.0, created_at=0.0, updated_at=0.0, digest="d"
    )
    told = json.loads(json.dumps(task.as_dict()))
    assert (told["precheck"], told["channels"], told["user_id"], told["next_run_at"]) == (
        "file /x y",
        ["ops"],
        "ann",
        "1970-01-01T00:00:00.000Z",
    )
    assert {"org", "digest", "spec", "deleted_at", "description", "last_run_at"}.isdisjoint(told)
    assert task.title == "g/n"


def test_what_a_file_says_is_shown_as_it_is_written() -> None:
    assert spec_dict(SPEC)["mode"] == "long"
    assert "user_id" not in spec_dict(SPEC)


def test_a_result_is_shown_whole() -> None:
    result = HeartbeatResult(
        id="heartbeat:t:x",
        org="default",
        task_id="t",
        group="g",
        name="n",
        user="ann",
        status=ResultStatus.TIMEOUT,
        output="",
        summary="",
        error="too long",
        run_id="",
        correlation_id="hbt-00000000",
        tokens=0,
        cost_usd=None,
        duration_s=60.0,
        ended_at=0.0,
        notify_errors={"x": "gone"},
    )
    told = json.loads(json.dumps(result.as_dict()))
    assert (told["status"], told["user_id"], told["cost_usd"], told["notify_errors"]) == (
        "timeout",
        "ann",
        None,
        {"x": "gone"},
    )
    assert "org" not in told
