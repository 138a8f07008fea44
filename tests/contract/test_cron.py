from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import ValidationError

from akili_cli.adapters.engine.backends.inline import DirectSteps
from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.audit.log import open_audit_log
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.schedule.base import Ended, Fire, FireStatus, Goal, Notice, OnMissed, Overlap, Reached
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import (
    ConflictError,
    InvalidArgumentsError,
    NotFoundError,
    PolicyDeniedError,
    PreconditionError,
)
from akili_cli.features.cron import store
from akili_cli.features.cron.model import MAX_FAILURES, JobChanges, JobDraft
from akili_cli.features.cron.service import CronService
from akili_cli.features.cron.settings import SchedulerSettings
from akili_cli.features.cron.worker import CronSchedule
from tests.fakes.clock import FakeClock

ANN, BEN, ADA, VIC = (Principal(name, Source.CLI) for name in ("ann", "ben", "ada", "vic"))
HOUR = 3600.0


class Outbox:
    """A notifier of the tests: knows one channel and keeps what it is given."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def queue(self, _connection: Connection, _org: str, notice: Notice, _now: float) -> tuple[str, ...]:
        self.notices.append(notice)
        return notice.channels

    def unknown(
        self, _connection: Connection, _org: str, channels: Sequence[str], by: object = None
    ) -> tuple[str, ...]:
        return tuple(name for name in channels if name != "ops")


@dataclass
class Agent:
    """Reaches every goal as the test says."""

    reached: Reached = Reached(status="ok", answer="done", run_id="r1", tokens=7)
    goals: list[Goal] = field(default_factory=list)

    async def run(self, goal: Goal, _steps: Steps) -> Reached:
        self.goals.append(goal)
        return self.reached


@dataclass
class Room:
    db: Database
    clock: FakeClock
    service: CronService
    outbox: Outbox
    agent: Agent
    schedule: CronSchedule


@pytest.fixture
async def room(db: Database, tmp_path: Path) -> AsyncIterator[Room]:
    clock, outbox, agent = FakeClock(), Outbox(), Agent()
    audit = await open_audit_log(db, tmp_path / "audit", b"k" * 32, clock, Redactor(), "default")
    service = CronService(
        db=db,
        org="default",
        clock=clock,
        audit=audit,
        notifier=outbox,
        window_s=HOUR,
        permissions_of=lambda who: frozenset() if who.user == "vic" else frozenset({"create_cronjob"}),
        is_admin=lambda who: who.user == "ada",
    )
    schedule = CronSchedule(settings=SchedulerSettings.model_validate({}), agent=agent, notifier=outbox)
    yield Room(db, clock, service, outbox, agent, schedule)
    await audit.close()


def draft(**more: object) -> JobDraft:
    return JobDraft.model_validate({"name": "nightly", "cron_expression": "0 13 * * *", "goal": "look", **more})


def changes(**given: object) -> JobChanges:
    return JobChanges.model_validate(given)


def fire_of(payload: dict[str, object], job_id: str, user: str = "ann") -> Fire:
    return Fire(
        id=f"cron:{job_id}:x",
        org="default",
        kind="cron",
        job_id=job_id,
        fire_at=1.0,
        user=user,
        payload=payload,
        node="n",
    )


async def test_a_job_is_kept_and_runs_next_when_its_expression_says(room: Room) -> None:
    job = await room.service.add(draft(notify=["ops"], budget_limit_usd=1), ANN)
    assert job.next_run_at == room.clock.now() + HOUR
    assert await room.service.reader.job("nightly") == job
    assert await room.service.reader.job(job.id[:8]) == job
    told = job.as_dict()
    assert told["user_id"] == "ann"
    assert told["next_run_at"] == "2026-02-17T13:00:00.000Z"
    assert "last_run_at" not in told
    records = [entry.record for entry in await AuditReader(room.db, "default").tail(10)]
    assert [(r.tool, r.user, r.parameters["job"]) for r in records if r.tool] == [("cron.add", "ann", "nightly")]


HTTP_ANN, HTTP_BEN, HTTP_ADA = (Principal(name, Source.HTTP) for name in ("ann", "ben", "ada"))


async def test_from_elsewhere_a_job_is_found_by_its_whole_id_and_by_its_owner_or_an_admin_only(room: Room) -> None:
    job = await room.service.add(draft(), HTTP_ANN)
    with pytest.raises(NotFoundError) as unknown:
        await room.service.edit("0" * 36, changes(goal="x"), HTTP_BEN)
    for typed, by in ((job.id, HTTP_BEN), (job.name, HTTP_ANN), (job.id[:8], HTTP_ANN)):
        for act in (
            room.service.mine(by).by_id(typed),
            room.service.mine(by).runs(typed),
            room.service.edit(typed, changes(goal="x"), by),
            room.service.remove(typed, by),
            room.service.to_trigger(typed, by),
        ):
            with pytest.raises(NotFoundError) as caught:
                await act
            assert str(caught.value).replace(typed, "0" * 36) == str(unknown.value)
            assert caught.value.hint == unknown.value.hint
    assert await room.service.mine(HTTP_BEN).page() == await room.service.mine(HTTP_BEN).jobs() == []
    assert await room.service.mine(HTTP_ANN).page(name="nightly") == [job]
    assert (await room.service.edit(job.id, changes(goal="y"), HTTP_ADA)).user == "ann"
    assert (await room.service.to_trigger(job.id, HTTP_ANN)).id == job.id
    await room.service.remove(job.id, HTTP_ADA)
    assert await room.service.mine(HTTP_ADA).page() == []


async def test_pages_go_through_every_job_newest_first_also_where_times_are_equal(room: Room) -> None:
    made = []
    for at in range(5):
        made.append((await room.service.add(draft(name=f"j{at}"), ANN)).id)
        room.clock.move(at % 2)
    seen, before = [], None
    while page := await room.service.mine(ANN).page(before=before, limit=2):
        seen += [job.id for job in page]
        before = (page[-1].created_at, page[-1].id)
    assert sorted(seen) == sorted(made)
    assert seen[0] == made[4]


async def test_a_change_is_made_only_where_the_job_is_as_expected(room: Room) -> None:
    job = await room.service.add(draft(), ANN)

    def refuse(now: object) -> None:
        assert now == job
        raise PreconditionError("changed")

    with pytest.raises(PreconditionError):
        await room.service.edit("nightly", changes(goal="x"), ANN, expects=refuse)
    with pytest.raises(PreconditionError):
        await room.service.remove("nightly", ANN, expects=refuse)
    assert await room.service.reader.job("nightly") == job


async def test_a_job_made_disabled_stays_disabled(room: Room) -> None:
    job = await room.service.add(draft(enabled=False), ANN)
    assert not (await room.service.reader.job(job.id)).enabled
    assert await room.db.read(lambda c: store.next_at(c, "default")) is None
    assert await room.db.write(lambda c: store.due(c, "default", 9e12, 5)) == []


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ({"cron_expression": "0 0 31 2 *"}, InvalidArgumentsError, "never|day-of-month"),
        ({"cron_expression": "@daily"}, InvalidArgumentsError, "shortcut"),
        ({"notify": ["nowhere"]}, InvalidArgumentsError, "no channel"),
    ],
    ids=["impossible date", "shortcut", "unknown channel"],
)
async def test_a_job_that_could_not_work_is_not_made(
    room: Room, given: dict[str, object], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        await room.service.add(draft(**given), ANN)
    assert await room.service.reader.jobs() == []


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"name": "a\nb"},
        {"goal": ""},
        {"budget_limit_usd": 0},
        {"budget_limit_usd": -1},
        {"budget_limit_usd": float("nan")},
        {"budget_limit_usd": float("inf")},
        {"enabled": "yes"},
        {"on_missed": "never"},
        {"overlap": "maybe"},
        {"max_depth": 3},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_draft_of_the_wrong_shape_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        draft(**given)


async def test_two_jobs_do_not_share_a_name(room: Room) -> None:
    await room.service.add(draft(), ANN)
    with pytest.raises(ConflictError, match="already"):
        await room.service.add(draft(), BEN)
    other = await room.service.add(draft(name="other"), BEN)
    with pytest.raises(ConflictError, match="already"):
        await room.service.edit(other.id, changes(name="nightly"), BEN)


async def test_only_its_owner_or_an_admin_changes_a_job_and_it_keeps_its_user(room: Room) -> None:
    await room.service.add(draft(), ANN)
    for verb in (
        room.service.edit("nightly", changes(goal="steal"), BEN),
        room.service.remove("nightly", BEN),
        room.service.edit("nightly", changes(goal="steal"), VIC),
        room.service.add(draft(name="x"), VIC),
        room.service.to_trigger("nightly", VIC),
    ):
        with pytest.raises(PolicyDeniedError):
            await verb
    changed = await room.service.edit("nightly", changes(goal="look twice"), ADA)
    assert (changed.goal, changed.user) == ("look twice", "ann")
    await room.service.remove("nightly", ANN)
    with pytest.raises(NotFoundError):
        await room.service.reader.job("nightly")


async def test_an_edit_is_checked_like_a_new_job_and_counts_from_now(room: Room) -> None:
    job = await room.service.add(draft(budget_limit_usd=2, notify=["ops"]), ANN)
    with pytest.raises(InvalidArgumentsError):
        await room.service.edit("nightly", changes(cron_expression="0 0 31 2 *"), ANN)
    with pytest.raises(InvalidArgumentsError, match="cannot be cleared"):
        await room.service.edit("nightly", changes(clear=["goal"]), ANN)
    changed = await room.service.edit(
        "nightly", changes(cron_expression="0 15 * * *", clear=["budget_limit_usd", "notify"]), ANN
    )
    assert changed.next_run_at == room.clock.now() + 3 * HOUR
    assert (changed.budget_limit_usd, changed.notify) == (None, ())
    assert await room.service.reader.job(job.id) == changed


async def test_a_paused_job_is_not_due_and_a_resumed_one_counts_from_now(room: Room) -> None:
    await room.service.add(draft(cron_expression="* * * * *"), ANN)
    await room.service.edit("nightly", changes(enabled=False), ANN)
    room.clock.move(HOUR)
    assert await room.db.write(lambda c: store.due(c, "default", room.clock.now(), 5)) == []
    resumed = await room.service.edit("nightly", changes(enabled=True), ANN)
    assert resumed.next_run_at == room.clock.now() + 60


async def test_a_due_job_carries_what_its_run_needs(room: Room) -> None:
    await room.service.add(draft(overlap="queue", on_missed="run_all", budget_limit_usd=1, notify=["ops"]), ANN)
    room.clock.move(HOUR)
    (job,) = await room.db.write(lambda c: room.schedule.due(c, "default", room.clock.now(), 5))
    assert (job.user, job.overlap, job.on_missed, job.window_s) == ("ann", Overlap.QUEUE, OnMissed.RUN_ALL, HOUR)
    await room.schedule.run(fire_of(dict(job.payload), job.id), DirectSteps("f", room.clock))
    (goal,) = room.agent.goals
    assert (goal.text, goal.user, goal.source, goal.max_cost_usd) == ("look", "ann", "cron", 1.0)
    assert await room.db.write(lambda c: room.schedule.due(c, "other", room.clock.now(), 5)) == []


async def test_a_failure_is_told_to_its_channels_once_and_a_success_is_not(room: Room) -> None:
    job = await room.service.add(draft(notify=["ops"]), ANN)
    payload = {"goal": "g", "budget_limit_usd": None, "name": "nightly", "notify": ["ops"]}
    fire = fire_of(payload, job.id)
    bad = Ended(status=FireStatus.FAILED, error="it broke", run_id="r1")
    await room.db.write(lambda c: room.schedule.ended(c, fire, bad, 5.0))
    (notice,) = room.outbox.notices
    assert (notice.channels, notice.user, notice.source) == (("ops",), "ann", "cron")
    assert notice.metadata == {"type": "cronjob_failure", "cronjob_id": job.id}
    assert "it broke" in notice.body
    after = await room.service.reader.job(job.id)
    assert (after.last_error, after.failures, after.last_run_at) == ("it broke", 1, 5.0)
    await room.db.write(lambda c: room.schedule.ended(c, fire, Ended(status=FireStatus.OK), 6.0))
    after = await room.service.reader.job(job.id)
    assert (after.last_error, after.failures, len(room.outbox.notices)) == ("", 0, 1)


async def test_a_job_that_fails_again_and_again_is_switched_off_and_says_so(room: Room) -> None:
    job = await room.service.add(draft(notify=["ops"]), ANN)
    payload = {"goal": "g", "budget_limit_usd": None, "name": "nightly", "notify": ["ops"]}
    bad = Ended(status=FireStatus.DENIED, error="no")
    for _ in range(MAX_FAILURES):
        assert (await room.service.reader.job(job.id)).enabled
        await room.db.write(lambda c: room.schedule.ended(c, fire_of(payload, job.id), bad, 5.0))
    assert not (await room.service.reader.job(job.id)).enabled
    assert "switched off" in room.outbox.notices[-1].body
    assert "switched off" not in room.outbox.notices[-2].body
    assert (await room.service.edit(job.id, changes(enabled=True), ANN)).failures == 0


async def test_the_end_of_a_removed_jobs_run_is_no_error(room: Room) -> None:
    payload = {"goal": "g", "budget_limit_usd": None, "name": "gone", "notify": []}
    await room.db.write(lambda c: room.schedule.ended(c, fire_of(payload, "gone"), Ended(status=FireStatus.OK), 5.0))


async def test_jobs_of_another_organisation_are_not_there(room: Room) -> None:
    job = await room.service.add(draft(), ANN)
    assert await room.db.read(lambda c: store.jobs(c, "other")) == []
    assert await room.db.read(lambda c: store.get(c, "other", job.id)) is None
    await room.db.write(lambda c: store.remove(c, "other", job.id))
    assert json.dumps((await room.service.reader.job(job.id)).as_dict())
