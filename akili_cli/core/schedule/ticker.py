"""The one loop for everything that is due: claim, then run, and take over what lost nodes left."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from akili_cli import __version__
from akili_cli.adapters.engine.backends.inline import DirectSteps
from akili_cli.adapters.engine.base import Engine
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.schedule import store
from akili_cli.core.schedule.base import Ended, Fire, FireStatus, Job, Overlap, Schedule
from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.core.schedule.liveness import is_running
from akili_cli.core.schedule.missed import sort_passed
from akili_cli.core.schedule.player import Player
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import AkiliError, ConflictError, InvalidArgumentsError
from akili_cli.domain.ids import new_correlation_id

LEASE_S = 30.0
"""A node not seen for so long is lost."""

PING_S = 5.0
MIN_PAUSE_S = 0.02
FORGET_NODES_S = 7 * 86400.0
BROKEN_PAUSE_S = 3600.0

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Claimed:
    """What one transaction began, what it found missed, and when it must be looked again."""

    begun: list[Fire]
    missed: list[tuple[Fire, Ended]] = field(default_factory=list)
    next_at: float | None = None


class Ticker:
    """Ticks for one organisation on one node. ``run`` is its loop; ``tick`` is one round of it.

    ``ticked_at`` (monotonic) is when the last round ended; ``watch`` is told of each look at a room: its kind, seconds.
    """

    def __init__(
        self,
        db: Database,
        org: str,
        node: str,
        player: Player,
        engine: Engine,
        clock: Clock,
        *,
        lease_s: float = LEASE_S,
    ) -> None:
        """Keep the parts; the engine must have been given the player's bodies."""
        self._db = db
        self._org = org
        self._node = node
        self._player = player
        self._engine = engine
        self._clock = clock
        self._lease_s = lease_s
        self._tasks: dict[str, set[asyncio.Task[None]]] = {kind: set() for kind in player.schedules}
        self._changed = asyncio.Event()
        self._pinged_at = 0.0
        self.ticked_at: float | None = None
        self.watch: Callable[[str, float], None] | None = None

    async def begin(self) -> None:
        """Make this node known; nothing is claimed before. Raises ``ConflictError`` for a name that is taken."""
        now, pid, host = self._clock.now(), os.getpid(), platform.node()

        def work(conn: Connection) -> None:
            dead_before = now - self._lease_s
            store.bury(conn, host, "", is_running, now)
            store.begin_node(conn, self._node, host, pid, __version__, now=now, dead_before=dead_before)

        await self._db.write(work, durable=True)

    async def run(self) -> None:
        """Tick until cancelled. A lost database is waited for; nothing is claimed meanwhile."""
        while True:
            pause = PING_S
            self._changed.clear()
            try:
                pause = await self.tick()
            except AkiliError as error:
                _LOG.warning("the ticker could not tick: %s", error)
            try:
                async with asyncio.timeout(max(pause, MIN_PAUSE_S)):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def tick(self) -> float:
        """Do one round; give the seconds until the next is needed."""
        now = self._clock.now()
        if not 0 <= now - self._pinged_at < PING_S:  # also after the clock was set back
            self._pinged_at = now
            await self._db.write(lambda conn: store.ping(conn, self._node, now))
            await self._take_over(now)
        pause = PING_S
        for schedule in self._player.schedules.values():
            pause = min(pause, await self._serve(schedule, now))
        self.ticked_at = self._clock.monotonic()
        return pause

    async def lag_s(self) -> float:
        """Give how long the oldest due job of any room has been due; 0 when nothing is."""
        rooms = self._player.schedules.values()
        times = await self._db.read(lambda conn: [room.next_at(conn, self._org) for room in rooms])
        now = self._clock.now()
        return max((now - at for at in times if at is not None and at < now), default=0.0)

    async def trigger(self, job: Job, kind: str, user: str) -> Fire:
        """Run a job now as ``user``; raises ``ConflictError`` when it runs already and may not overlap."""
        fire = self._fire(kind, job, self._clock.now(), user=user, manual=True)
        now = fire.fire_at

        def work(conn: Connection) -> None:
            if job.overlap is not Overlap.ALLOW and store.has_open(conn, self._org, kind, job.id):
                raise ConflictError("it is running already", hint="wait for it to end, or set its overlap to allow")
            store.add(conn, fire, FireStatus.RUNNING, now)

        await self._db.write(work, durable=True)
        return fire

    async def launch(self, job: Job, kind: str, also: Callable[[Connection], None] | None = None) -> None:
        """Store a fire that happens once and now, ``also`` in the same transaction, and start it on this node."""
        fire = replace(self._fire(kind, job, self._clock.now()), id=f"{kind}:{job.id}:once")

        def work(conn: Connection) -> None:
            store.add(conn, fire, FireStatus.RUNNING, fire.fire_at)
            if also is not None:
                also(conn)

        await self._db.write(work, durable=True)
        self.start(fire)

    def start(self, fire: Fire) -> None:
        """Run a fire that was triggered, on this node, through the engine if its room wants that."""
        self._start(self._player.schedules[fire.kind], fire)

    async def play(self, fire: Fire) -> Ended | None:
        """Play a triggered fire here and now, and wait for its end."""
        return await self._player.play(fire.id, DirectSteps(fire.id, self._clock))

    async def stop(self, *, drain_s: float) -> None:
        """End what can be ended in that time, say that the node is gone, and leave the rest to others."""
        tasks = [task for kind in self._tasks.values() for task in kind]
        began = self._clock.monotonic()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=drain_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        await self._engine.close(drain_s=max(0.0, drain_s - (self._clock.monotonic() - began)))
        now = self._clock.now()
        await self._db.write(lambda conn: store.stop_node(conn, self._node, now))

    async def _serve(self, schedule: Schedule, now: float) -> float:
        """Claim and start what one room has due; give the seconds until it must be looked at again."""
        free = schedule.max_running - len(self._tasks[schedule.kind])
        if free <= 0 or schedule.poll_s == math.inf:
            return schedule.poll_s
        began = self._clock.monotonic()
        claimed = await self._db.write(lambda conn: self._claim(conn, schedule, now, free), durable=True)
        fires, next_at = claimed.begun, claimed.next_at
        for fire in fires:
            self._start(schedule, fire)
        for fire, ended in claimed.missed:
            await self._player.record_missed(fire, ended)
        if self.watch is not None:
            self.watch(schedule.kind, self._clock.monotonic() - began)
        if len(fires) == free:
            return 0.0 if schedule.max_running > len(self._tasks[schedule.kind]) else schedule.poll_s
        return schedule.poll_s if next_at is None else max(0.0, min(schedule.poll_s, next_at - self._clock.now()))

    def _claim(self, conn: Connection, schedule: Schedule, now: float, free: int) -> _Claimed:
        claimed = _Claimed(store.next_waiting(conn, self._org, schedule.kind, self._node, now, free))
        for job in schedule.due(conn, self._org, now, free - len(claimed.begun)):
            self._claim_job(conn, schedule, job, now, claimed)
        claimed.next_at = schedule.next_at(conn, self._org)
        return claimed

    def _claim_job(self, conn: Connection, schedule: Schedule, job: Job, now: float, claimed: _Claimed) -> None:
        kind = schedule.kind
        try:
            expr = parse_cron(job.cron)
        except InvalidArgumentsError as error:
            _LOG.error("a job's schedule cannot be read: %s", error, extra={"kind": kind, "job": job.id})
            broken = self._fire(kind, job, job.next_run_at)
            store.add(conn, broken, FireStatus.FAILED, now, error=str(error))
            schedule.advance(conn, self._org, job.id, now + BROKEN_PAUSE_S)
            return
        passed = sort_passed(expr, job.next_run_at, now, job.on_missed, job.window_s)
        for at in passed.missed:
            why = f"skipped: it was due {now - at:.0f} s ago and {job.on_missed} applies"
            self._miss(conn, self._fire(kind, job, at), now, why, claimed)
        if passed.unlisted:
            told = {"count": passed.unlisted, "until": passed.missed[0]}
            why = f"{passed.unlisted} fire times passed"
            self._miss(conn, self._fire(kind, job, passed.since), now, why, claimed, told)
        schedule.advance(conn, self._org, job.id, passed.next_run_at)
        behind = False
        for at in passed.runs:
            fire = self._fire(kind, job, at)
            status = self._status(conn, kind, job, behind=behind)
            if status is FireStatus.OVERLAPPED:
                self._miss(conn, fire, now, "the one before was still running", claimed, status=status)
            elif store.add(conn, fire, status, now) and status is FireStatus.RUNNING:
                claimed.begun.append(fire)
                behind = True

    def _miss(
        self,
        conn: Connection,
        fire: Fire,
        now: float,
        why: str,
        claimed: _Claimed,
        details: Mapping[str, object] | None = None,
        *,
        status: FireStatus = FireStatus.MISSED,
    ) -> None:
        if store.add(conn, fire, status, now, error=why, details=details):
            claimed.missed.append((fire, Ended(status=status, error=why, details=details or {})))

    def _status(self, conn: Connection, kind: str, job: Job, *, behind: bool) -> FireStatus:
        """Tell whether a fire starts; those of a catch-up run one after the other whatever the policy is."""
        if job.overlap is Overlap.ALLOW and not behind:
            return FireStatus.RUNNING
        if behind:
            return FireStatus.WAITING
        if not store.has_open(conn, self._org, kind, job.id):
            return FireStatus.RUNNING
        return FireStatus.WAITING if job.overlap is Overlap.QUEUE else FireStatus.OVERLAPPED

    def _fire(self, kind: str, job: Job, at: float, *, user: str = "", manual: bool = False) -> Fire:
        moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        name = f"manual-{new_correlation_id()}" if manual else moment
        return Fire(
            id=f"{kind}:{job.id}:{name}",
            org=self._org,
            kind=kind,
            job_id=job.id,
            fire_at=at,
            user=user or job.user,
            payload=job.payload,
            node=self._node,
            manual=manual,
        )

    def _start(self, schedule: Schedule, fire: Fire) -> None:
        run = self._play_durably(fire) if schedule.durable else self._play_here(fire)
        task = asyncio.create_task(run, name=fire.id)
        tasks = self._tasks[schedule.kind]
        tasks.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            tasks.discard(done)
            self._changed.set()
            if not done.cancelled() and done.exception() is not None:
                _LOG.error("a fire could not be played: %s", done.exception(), extra={"fire": fire.id})

        task.add_done_callback(ended)

    async def _play_durably(self, fire: Fire) -> None:
        if not await self._engine.start(fire.id, fire.kind, {}):
            await self._engine.resume([fire.id])
        await self._engine.wait(fire.id)

    async def _play_here(self, fire: Fire) -> None:
        await self._player.play(fire.id, DirectSteps(fire.id, self._clock))

    async def _take_over(self, now: float) -> None:
        """Make the open fires of lost nodes this node's and go on with them."""
        dead_before = now - self._lease_s

        def work(conn: Connection) -> list[Fire]:
            store.forget_nodes(conn, now - FORGET_NODES_S)
            store.bury(conn, platform.node(), self._node, is_running, now)
            lost = [fire for fire in store.lost(conn, self._org, self._node, dead_before) if fire.kind in self._tasks]
            return [fire for fire in lost if store.take(conn, fire, self._node)]

        for fire in await self._db.write(work, durable=True):
            _LOG.warning("taking over from a lost node", extra={"fire": fire.id, "node": fire.node})
            self._start(self._player.schedules[fire.kind], fire)
