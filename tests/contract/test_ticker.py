from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from akili_cli.adapters.engine.backends.inline import InlineEngine
from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.storage.schema import STEPS
from akili_cli.core.schedule import store
from akili_cli.core.schedule.base import Ended, Fire, FireStatus, Job, Overlap
from akili_cli.core.schedule.player import Player
from akili_cli.core.schedule.ticker import LEASE_S, PING_S, Ticker
from akili_cli.domain.errors import ConflictError
from tests.contract.places import OpenDatabase
from tests.fakes.clock import FakeClock
from tests.fakes.schedule import PROBE_STEP, ProbeSchedule, add_probe_job

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC).timestamp()


class Node:
    """A ticker with all around it; several may share a database."""

    def __init__(self, db: Database, clock: FakeClock, name: str, schedule: ProbeSchedule) -> None:
        self.db, self.clock, self.schedule = db, clock, schedule
        self.recorded: list[tuple[str, str]] = []
        self.player = Player(db, "default", name, [schedule], self._record, clock)
        self.ticker = Ticker(db, "default", name, self.player, InlineEngine(name, self.player.bodies(), clock), clock)

    async def _record(self, fire: Fire, ended: Ended | None) -> None:
        self.recorded.append((fire.id, "begin" if ended is None else str(ended.status)))

    async def tick(self) -> None:
        await self.ticker.tick()
        await self.idle()

    async def idle(self) -> None:
        while tasks := [task for kind in self.ticker._tasks.values() for task in kind]:
            await asyncio.wait(tasks)

    async def records(self) -> list[tuple[str, str]]:
        rows = await self.db.read(lambda c: store.history(c, "default", "probe", None, 1000))
        return sorted((row.fire.id.removeprefix("probe:"), str(row.status)) for row in rows)


@pytest.fixture
async def shared(open_database: OpenDatabase) -> Database:
    return await open_database((*STEPS, PROBE_STEP))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def _node(
    db: Database,
    clock: FakeClock,
    run: Callable[[Fire, Steps], Awaitable[Ended]] | None = None,
    name: str = "n1",
    **options: object,
) -> Node:
    node = Node(db, clock, name, ProbeSchedule(run, **options) if run else ProbeSchedule(**options))
    await node.ticker.begin()
    return node


async def _add(db: Database, job: str, cron: str, at: float, **more: object) -> None:
    await db.write(lambda c: add_probe_job(c, job, cron, at, **more))


@pytest.mark.parametrize("durable", [False, True], ids=["here", "through the engine"])
async def test_a_due_job_runs_once_and_moves_on(shared: Database, clock: FakeClock, durable: bool) -> None:
    node = await _node(shared, clock, durable=durable)
    await _add(shared, "j", "0 * * * *", NOON)
    await node.tick()
    await node.tick()
    assert await node.records() == [("j:2026-02-17T12:00:00Z", "ok")]
    assert await shared.read(lambda c: node.schedule.next_at(c, "default")) == NOON + 3600
    fire = node.schedule.ran[0]
    assert (fire.user, fire.payload, fire.node, fire.attempt, fire.manual) == ("ann", {"n": 1}, "n1", 1, False)
    assert node.recorded == [(fire.id, "begin"), (fire.id, "ok")]
    rows = await shared.read(lambda c: c.execute("SELECT last FROM probe_jobs"))
    assert rows == [{"last": "ok"}]


async def test_what_is_not_due_does_not_run(shared: Database, clock: FakeClock) -> None:
    node = await _node(shared, clock)
    await _add(shared, "j", "0 * * * *", NOON + 1)
    await node.tick()
    assert await node.records() == []


async def test_two_nodes_run_each_fire_once(shared: Database, clock: FakeClock) -> None:
    nodes = [await _node(shared, clock, name=f"n{n}", max_running=50) for n in range(2)]
    for number in range(40):
        await _add(shared, f"j{number}", "0 * * * *", NOON)
    await asyncio.gather(*(node.tick() for node in nodes))
    await asyncio.gather(*(node.tick() for node in nodes))
    ran = [fire.id for node in nodes for fire in node.schedule.ran]
    assert len(ran) == len(set(ran)) == 40


async def test_a_set_back_clock_does_not_fire_again(shared: Database, clock: FakeClock) -> None:
    node = await _node(shared, clock)
    await _add(shared, "j", "0 * * * *", NOON)
    await node.tick()
    clock.move(-7200)
    await shared.write(lambda c: node.schedule.advance(c, "default", "j", NOON))
    clock.move(7200)
    await node.tick()
    assert len(node.schedule.ran) == 1


@pytest.mark.parametrize(
    ("on_missed", "expected"),
    [
        ("skip", ["missed", "missed", "missed", "missed"]),
        ("run_once", ["missed", "missed", "missed", "ok"]),
        ("run_all", ["missed", "missed", "ok", "ok"]),
    ],
)
async def test_missed_fires_run_by_policy_inside_the_window_and_are_recorded(
    shared: Database, clock: FakeClock, on_missed: str, expected: list[str]
) -> None:
    node = await _node(shared, clock)
    await _add(shared, "j", "*/30 * * * *", NOON, on_missed=on_missed, window_s=3600)
    clock.move(3 * 1800 + 120)  # 12:00, 12:30, 13:00, 13:30 have passed; the window begins at 12:32
    for _ in range(3):
        await node.tick()
    assert [status for _, status in await node.records()] == expected
    assert await shared.read(lambda c: node.schedule.next_at(c, "default")) == NOON + 7200


async def test_a_job_on_time_runs_whatever_its_policy_is(shared: Database, clock: FakeClock) -> None:
    node = await _node(shared, clock)
    await _add(shared, "j", "* * * * *", NOON, on_missed="skip")
    clock.move(45)
    await node.tick()
    assert [status for _, status in await node.records()] == ["ok"]


async def test_a_long_absence_is_recorded_without_a_row_for_each_minute(shared: Database, clock: FakeClock) -> None:
    node = await _node(shared, clock)
    await _add(shared, "j", "* * * * *", NOON)
    clock.move(86400)
    await node.tick()
    records = await node.records()
    assert len(records) == 102
    assert records[-1] == ("j:2026-02-18T12:00:00Z", "ok")
    rows = await shared.read(lambda c: c.execute("SELECT error FROM fires WHERE fire_at = :at", {"at": NOON}))
    assert rows[0]["error"] == "1340 fire times passed"


async def _until(hold: asyncio.Event, _fire: Fire, _steps: Steps) -> Ended:
    await hold.wait()
    return Ended(status=FireStatus.OK)


@pytest.mark.parametrize(
    ("overlap", "meanwhile", "at_the_end"),
    [("skip", ["overlapped", "running"], ["ok", "overlapped"]), ("queue", ["running", "waiting"], ["ok", "ok"])],
)
async def test_a_job_that_still_runs(
    shared: Database, clock: FakeClock, overlap: str, meanwhile: list[str], at_the_end: list[str]
) -> None:
    hold = asyncio.Event()
    node = await _node(shared, clock, lambda fire, steps: _until(hold, fire, steps))
    await _add(shared, "j", "* * * * *", NOON, overlap=overlap)
    await node.ticker.tick()
    clock.move(60)
    await node.ticker.tick()
    assert sorted(status for _, status in await node.records()) == meanwhile
    hold.set()
    await node.idle()
    await node.tick()
    assert sorted(status for _, status in await node.records()) == at_the_end


async def test_overlap_allowed_runs_side_by_side(shared: Database, clock: FakeClock) -> None:
    hold = asyncio.Event()
    node = await _node(shared, clock, lambda fire, steps: _until(hold, fire, steps))
    await _add(shared, "j", "* * * * *", NOON, overlap="allow")
    await node.ticker.tick()
    clock.move(60)
    await node.ticker.tick()
    assert [status for _, status in await node.records()] == ["running", "running"]
    hold.set()
    await node.idle()


async def test_no_more_run_side_by_side_than_allowed(shared: Database, clock: FakeClock) -> None:
    hold = asyncio.Event()
    node = await _node(shared, clock, lambda fire, steps: _until(hold, fire, steps), max_running=2)
    for number in range(5):
        await _add(shared, f"j{number}", "0 * * * *", NOON)
    await node.ticker.tick()
    await node.ticker.tick()
    assert len(await node.records()) == 2
    hold.set()
    for _ in range(3):
        await node.tick()
    assert len(await node.records()) == 5


async def test_a_room_that_breaks_ends_its_fire_and_nothing_else(shared: Database, clock: FakeClock) -> None:
    async def broken(_fire: Fire, _steps: Steps) -> Ended:
        raise ValueError("secret detail")

    node = await _node(shared, clock, broken)
    await _add(shared, "j", "0 * * * *", NOON)
    await node.tick()
    rows = await shared.read(lambda c: c.execute("SELECT status, error FROM fires"))
    assert rows == [{"status": "failed", "error": "internal error (ValueError); see the log"}]


async def test_a_schedule_that_cannot_be_read_is_recorded_and_does_not_stop_the_others(
    shared: Database, clock: FakeClock
) -> None:
    node = await _node(shared, clock)
    await _add(shared, "bad", "0 0 31 2 *", NOON - 1)
    await _add(shared, "good", "0 * * * *", NOON)
    await node.tick()
    assert [(name.partition(":")[0], status) for name, status in await node.records()] == [
        ("bad", "failed"),
        ("good", "ok"),
    ]


@pytest.mark.parametrize("durable", [False, True], ids=["here", "through the engine"])
@pytest.mark.parametrize("how", ["silent", "stopped", "unknown"])
async def test_the_fires_of_a_lost_node_are_taken_over_once(
    shared: Database, clock: FakeClock, how: str, durable: bool
) -> None:
    first = await _node(shared, clock, name="gone")
    await _add(shared, "j", "0 * * * *", NOON)
    await shared.write(lambda c: first.ticker._claim(c, first.schedule, NOON, 5))
    if how == "stopped":
        await shared.write(lambda c: store.stop_node(c, "gone", NOON))
    elif how == "unknown":
        await shared.write(lambda c: c.execute("DELETE FROM nodes"))
    nodes = [await _node(shared, clock, name=f"n{n}", durable=durable) for n in range(2)]
    for node in nodes:
        await node.tick()
    if how == "silent":
        assert [fire.id for node in nodes for fire in node.schedule.ran] == []
        clock.move(LEASE_S + 1)
        for node in (first, *nodes)[1:]:
            await shared.write(lambda c, node=node: store.ping(c, node.ticker._node, clock.now()))
        for node in nodes:
            await node.tick()
    ran = [fire for node in nodes for fire in node.schedule.ran]
    assert [(fire.job_id, fire.attempt) for fire in ran] == [("j", 2)]
    assert [status for _, status in await nodes[0].records()] == ["ok"]


async def test_a_node_that_was_taken_for_lost_does_not_write_the_end(shared: Database, clock: FakeClock) -> None:
    hold = asyncio.Event()
    slow = await _node(shared, clock, lambda fire, steps: _until(hold, fire, steps), name="slow")
    await _add(shared, "j", "0 * * * *", NOON)
    await slow.ticker.tick()
    clock.move(LEASE_S + 1)
    other = await _node(shared, clock, name="other")
    await other.tick()
    assert [status for _, status in await other.records()] == ["ok"]
    await shared.write(lambda c: c.execute("UPDATE probe_jobs SET last = 'by other'"))
    hold.set()
    await slow.idle()
    assert await shared.read(lambda c: c.execute("SELECT last FROM probe_jobs")) == [{"last": "by other"}]
    assert slow.recorded == [("probe:j:2026-02-17T12:00:00Z", "begin")]


def _job(overlap: Overlap = Overlap.SKIP) -> Job:
    return Job(id="j", user="ann", cron="0 * * * *", next_run_at=NOON, payload={"n": 1}, overlap=overlap)


async def test_a_triggered_job_runs_as_whoever_asked(shared: Database, clock: FakeClock) -> None:
    node = await _node(shared, clock)
    await _add(shared, "j", "0 * * * *", NOON + 3600)
    fire = await node.ticker.trigger(_job(), "probe", "ben")
    ended = await node.ticker.play(fire)
    assert ended is not None
    assert ended.status is FireStatus.OK
    assert (node.schedule.ran[0].user, node.schedule.ran[0].manual) == ("ben", True)
    assert await node.ticker.play(fire) is None
    assert await shared.read(lambda c: node.schedule.next_at(c, "default")) == NOON + 3600


async def test_a_job_that_runs_is_not_triggered_beside_itself(shared: Database, clock: FakeClock) -> None:
    node = await _node(shared, clock)
    await node.ticker.trigger(_job(), "probe", "ben")
    with pytest.raises(ConflictError, match="running already"):
        await node.ticker.trigger(_job(), "probe", "ben")
    await node.ticker.trigger(_job(Overlap.ALLOW), "probe", "ben")


async def test_stopping_leaves_what_does_not_end_to_others(shared: Database, clock: FakeClock) -> None:
    hold = asyncio.Event()
    node = await _node(shared, clock, lambda fire, steps: _until(hold, fire, steps))
    await _add(shared, "j", "0 * * * *", NOON)
    await node.ticker.tick()
    await node.ticker.stop(drain_s=0.05)
    other = await _node(shared, clock, name="n2")
    await other.tick()
    assert [status for _, status in await other.records()] == ["ok"]


async def test_the_loop_wakes_up_for_what_is_due_next(shared: Database) -> None:
    from akili_cli.domain.clock import SystemClock

    clock = SystemClock()
    schedule = ProbeSchedule()
    schedule.poll_s = 30.0
    node = Node(shared, clock, "n1", schedule)
    await node.ticker.begin()
    await _add(shared, "j", "0 0 1 1 *", clock.now() + 0.3)
    loop = asyncio.create_task(node.ticker.run())
    async with asyncio.timeout(5):
        while not schedule.ran:
            await asyncio.sleep(0.02)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop


async def test_a_room_where_nothing_is_ever_due_is_not_asked(shared: Database, clock: FakeClock) -> None:
    schedule = ProbeSchedule()
    schedule.poll_s = math.inf
    node = Node(shared, clock, "n1", schedule)
    await node.ticker.begin()
    await _add(shared, "j", "0 * * * *", NOON)
    assert await node.ticker.tick() == PING_S
    assert (schedule.ran, await node.records()) == ([], [])


async def test_what_is_launched_runs_here_once_with_what_belongs_to_it(shared: Database, clock: FakeClock) -> None:
    schedule = ProbeSchedule()
    node = Node(shared, clock, "n1", schedule)
    await node.ticker.begin()
    job = Job(id="q", user="ann", cron="", next_run_at=NOON, payload={"n": 2})

    def refuses(_conn: Connection) -> None:
        raise ConflictError("not now")

    with pytest.raises(ConflictError):
        await node.ticker.launch(job, "probe", refuses)
    assert await node.records() == []
    await node.ticker.launch(job, "probe", lambda conn: add_probe_job(conn, "belongs", "0 0 1 1 *", NOON))
    await node.ticker.stop(drain_s=5)
    assert [(fire.id, dict(fire.payload)) for fire in schedule.ran] == [("probe:q:once", {"n": 2})]
    assert [status for _, status in await node.records()] == ["ok"]


async def test_history_is_of_the_jobs_asked_for(shared: Database, clock: FakeClock) -> None:
    node = await _node(shared, clock)
    for name in ("a", "b"):
        await _add(shared, name, "0 * * * *", NOON)
    await node.tick()

    def jobs(conn: Connection, ids: list[str] | None) -> list[str]:
        return sorted(record.fire.job_id for record in store.history(conn, "default", "probe", ids, 10))

    assert await shared.read(lambda c: jobs(c, ["a"])) == ["a"]
    assert await shared.read(lambda c: jobs(c, [])) == []
    assert await shared.read(lambda c: jobs(c, None)) == ["a", "b"]
    assert await shared.read(lambda c: store.history(c, "other", "probe", None, 10)) == []
