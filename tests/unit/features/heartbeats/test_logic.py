from __future__ import annotations

from dataclasses import replace

import pytest

from akili_cli.features.heartbeats.logic import changes, is_told, one_per_group, severity
from akili_cli.features.heartbeats.model import (
    HeartbeatTask,
    Mode,
    Notify,
    Precheck,
    PrecheckKind,
    ResultStatus,
    TaskFile,
    TaskSpec,
)

NOW = 1000.0
SPEC = TaskSpec(
    group="g",
    name="n",
    description="",
    path="a.md",
    line=5,
    user=None,
    cron_expression="0 9 * * *",
    mode=Mode.QUICK,
    prompt="Do.",
    budget_usd=0.5,
)
TASK = HeartbeatTask(
    id="t", org="default", spec=SPEC, user="ann", next_run_at=500.0, created_at=1.0, updated_at=1.0, digest="d"
)


def compare(*specs: TaskSpec, known: tuple[HeartbeatTask, ...] = (TASK,)) -> tuple[str, tuple[str, ...], str]:
    change, restart = changes(specs, known, default_user="ann", now=NOW)
    counts = f"{len(change.new)} new, {len(change.changed)} changed, {len(change.gone)} gone"
    return counts, restart, change.changed[0].digest if change.changed else ""


def test_the_same_files_change_nothing() -> None:
    assert compare(SPEC) == ("0 new, 0 changed, 0 gone", (), "")
    assert not changes([SPEC], [TASK], default_user="ann", now=NOW)[0]


@pytest.mark.parametrize(
    ("fields", "restarts", "forgets"),
    [
        ({"line": 9}, False, False),
        ({"budget_usd": 1.0}, False, False),
        ({"prompt": "Else."}, False, True),
        ({"precheck": Precheck(PrecheckKind.FILE, "/x")}, False, True),
        ({"user": "ben"}, False, True),
        ({"cron_expression": "0 10 * * *"}, True, False),
        ({"enabled": False}, True, False),
    ],
    ids=str,
)
def test_only_a_changed_schedule_moves_the_next_run(fields: dict[str, object], restarts: bool, forgets: bool) -> None:
    counts, restart, digest = compare(replace(SPEC, **fields))  # type: ignore[arg-type]  # the test's own fields
    assert counts == "0 new, 1 changed, 0 gone"
    assert (restart, digest) == (("t",) if restarts else (), "" if forgets else "d")


def test_a_task_that_left_is_gone_once_and_comes_back_as_itself() -> None:
    gone = replace(TASK, deleted_at=NOW)
    assert compare()[0] == "0 new, 0 changed, 1 gone"
    assert compare(known=(gone,))[0] == "0 new, 0 changed, 0 gone"
    assert compare(SPEC, known=(gone,)) == ("0 new, 1 changed, 0 gone", ("t",), "d")
    assert compare(replace(SPEC, name="m"))[0] == "1 new, 0 changed, 1 gone"


def test_another_default_user_is_a_change() -> None:
    change, restart = changes([SPEC], [TASK], default_user="ben", now=NOW)
    assert (change.changed[0].user, restart) == ("ben", ())


def test_of_two_files_with_one_name_the_holder_keeps_it() -> None:
    files = tuple(TaskFile(path=path, group="g", tasks=(replace(SPEC, path=path),)) for path in ("a.md", "b.md"))
    first = one_per_group(files, {})
    assert [bool(file.tasks) for file in first] == [True, False]
    assert first[1].problems == ("b.md:2: the name 'g' is taken by a.md",)
    held = one_per_group(files, {"g": "b.md"})
    assert [bool(file.tasks) for file in held] == [False, True]
    away = one_per_group(files, {"g": "gone.md"})
    assert [bool(file.tasks) for file in away] == [True, False]


GOOD, BAD, LATE = ResultStatus.SUCCESS, ResultStatus.FAILURE, ResultStatus.TIMEOUT
SAME, SKIP = ResultStatus.UNCHANGED, ResultStatus.SKIPPED


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        (Notify.ALWAYS, [GOOD, BAD, BAD, LATE, GOOD, BAD, SAME]),
        (Notify.FAILURE, [BAD, BAD, LATE, BAD]),
        (Notify.CHANGE, [BAD, LATE, GOOD, BAD, SAME]),
    ],
)
def test_who_is_told_of_what(notify: Notify, told: list[ResultStatus]) -> None:
    heard, before = [], None
    for status in (GOOD, SAME, SKIP, BAD, BAD, LATE, GOOD, SAME, BAD, SAME, SAME):
        if is_told(notify, status, before):
            heard.append(status)
        before = before if status is SKIP else status
    assert heard == told


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("FATAL: no", "critical"),
        ("the kernel panicked", "critical"),
        ("OOMKilled", "critical"),
        ("Out of memory", "critical"),
        ("disk full on /", "critical"),
        ("3 errors", "high"),
        ("web1 is down", "high"),
        ("it timed out", "high"),
        ("a downloadable bloom in the room", "medium"),
        ("", "medium"),
    ],
)
def test_how_bad_a_text_sounds(text: str, word: str) -> None:
    assert severity(text) == word
