from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.domain.errors import ConflictError
from akili_cli.features.heartbeats import store
from akili_cli.features.heartbeats.model import (
    HeartbeatResult,
    HeartbeatTask,
    Mode,
    Precheck,
    PrecheckKind,
    ResultStatus,
    TaskFile,
    TaskSpec,
)

SPEC = TaskSpec(
    group="g",
    name="n",
    description="d",
    path="/a.md",
    line=5,
    user=None,
    cron_expression="0 9 * * *",
    mode=Mode.LONG,
    prompt="Do.",
    budget_usd=0.25,
    channels=("ops",),
    precheck=Precheck(PrecheckKind.COMMAND, "a  b"),
    max_runs_per_day=3,
)
TASK = HeartbeatTask(id="t", org="default", spec=SPEC, user="ann", next_run_at=50.0, created_at=1.0, updated_at=2.0)
RESULT = HeartbeatResult(
    id="f1",
    org="default",
    task_id="t",
    group="g",
    name="n",
    user="ann",
    status=ResultStatus.SUCCESS,
    output="o",
    summary="s",
    error="",
    run_id="r",
    correlation_id="hbt-0",
    tokens=3,
    cost_usd=None,
    duration_s=1.5,
    ended_at=60.0,
    notified_via=("ops",),
    notify_errors={"x": "gone"},
)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = await open_sqlite(tmp_path / "akili.db")
    await opened.write(lambda c: store.add(c, TASK))
    yield opened
    await opened.close()


async def test_a_task_is_kept_as_it_is(db: SqliteDatabase) -> None:
    assert await db.read(lambda c: store.get(c, "default", "t")) == TASK
    assert await db.read(lambda c: store.tasks(c, "default")) == [TASK]


async def test_another_organisation_sees_and_changes_nothing(db: SqliteDatabase) -> None:
    assert await db.read(lambda c: (store.tasks(c, "o"), store.get(c, "o", "t"), store.next_at(c, "o"))) == (
        [],
        None,
        None,
    )
    await db.write(lambda c: store.change(c, replace(TASK, org="o", deleted_at=9.0), next_run_at=1.0))
    await db.write(lambda c: store.advance(c, "o", "t", 1.0))
    await db.write(lambda c: store.put_files(c, "o", []))
    assert await db.write(lambda c: store.count_run(c, "o", "t", "d", skipped=False)) == 0
    assert await db.read(lambda c: store.get(c, "default", "t")) == TASK


async def test_two_tasks_of_one_name_cannot_be_stored(db: SqliteDatabase) -> None:
    with pytest.raises(ConflictError):
        await db.write(lambda c: store.add(c, replace(TASK, id="u")))


async def test_a_change_leaves_what_became_of_the_task(db: SqliteDatabase) -> None:
    await db.write(lambda c: store.note_end(c, RESULT, "digest"))
    await db.write(lambda c: store.advance(c, "default", "t", 70.0))
    stale = replace(TASK, spec=replace(SPEC, prompt="Else."), digest="digest")
    await db.write(lambda c: store.change(c, stale, next_run_at=None))
    now = await db.read(lambda c: store.get(c, "default", "t"))
    assert now is not None
    assert (now.spec.prompt, now.next_run_at, now.last_status, now.digest) == ("Else.", 70.0, "success", "digest")


async def test_what_is_off_or_gone_is_never_due(db: SqliteDatabase) -> None:
    due = await db.write(lambda c: store.due(c, "default", 50.0, 5))
    assert [task.id for task in due] == ["t"]
    for changed in (replace(TASK, spec=replace(SPEC, enabled=False)), replace(TASK, deleted_at=3.0)):
        await db.write(lambda c, changed=changed: store.change(c, changed, next_run_at=None))
        assert await db.write(lambda c: store.due(c, "default", 50.0, 5)) == []
        assert await db.read(lambda c: store.next_at(c, "default")) is None
    assert await db.read(lambda c: store.tasks(c, "default")) == []
    assert len(await db.read(lambda c: store.tasks(c, "default", gone=True))) == 1


async def test_a_day_begins_its_counts_anew(db: SqliteDatabase) -> None:
    def count(day: str, skipped: bool) -> object:
        return db.write(lambda c: store.count_run(c, "default", "t", day, skipped=skipped))

    told = [await count(*one) for one in (("a", False), ("a", False), ("a", True), ("b", True), ("b", False))]  # type: ignore[misc]  # awaitable
    assert told == [1, 2, 1, 1, 1]


async def test_results_are_appended_and_read_newest_first(db: SqliteDatabase) -> None:
    later = replace(RESULT, id="f2", ended_at=61.0, task_id="u")
    for result in (RESULT, later):
        await db.write(lambda c, result=result: store.add_result(c, result))
    assert await db.read(lambda c: store.results(c, "default", None, 9)) == [later, RESULT]
    assert await db.read(lambda c: store.results(c, "default", "t", 9)) == [RESULT]
    with pytest.raises(ConflictError):
        await db.write(lambda c: store.add_result(c, RESULT))


async def test_the_files_are_those_of_the_last_look(db: SqliteDatabase) -> None:
    one = TaskFile(path="/a.md", sha256="s", group="g", problems=("/a.md:3: no",))
    await db.write(lambda c: store.put_files(c, "default", [one, TaskFile(path="/b.md")]))
    await db.write(lambda c: store.put_files(c, "default", [one]))
    assert await db.read(lambda c: store.files(c, "default")) == [one]


async def test_unchanged_looks_are_counted_on_the_task(db: SqliteDatabase) -> None:
    for _ in range(3):
        await db.write(lambda c: store.count_unchanged(c, "default", "t", 8.0))
    now = await db.read(lambda c: store.get(c, "default", "t"))
    assert now is not None
    assert (now.unchanged, now.unchanged_at) == (3, 8.0)
