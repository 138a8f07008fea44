"""Wires what ticks on a node: the rooms that are switched on, the ticker, the engine under them, the chores."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from akili_cli.adapters.engine.backends.inline import InlineEngine
from akili_cli.adapters.engine.base import Engine
from akili_cli.bootstrap.alerts import alert_schedule
from akili_cli.bootstrap.answers import AgentAnswers
from akili_cli.bootstrap.app import App, database_dsn
from akili_cli.bootstrap.goals import AgentGoals
from akili_cli.bootstrap.heartbeats import heartbeat_files, heartbeat_schedule
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.core.schedule.base import Chore, Ended, Fire, FireStatus, Schedule
from akili_cli.core.schedule.player import Player
from akili_cli.core.schedule.ticker import Ticker
from akili_cli.domain.errors import ConfigError
from akili_cli.features.cron.worker import CronSchedule
from akili_cli.features.queries.live import LiveRuns
from akili_cli.features.queries.model import KIND as QUERY
from akili_cli.features.queries.worker import QuerySchedule, StopQueries

FIRE_NAMES = {
    "cron": "cronjob.fire",
    "heartbeat": "heartbeat_task.fire",
    "alert": "alert.check",
    QUERY: "query.run",
}
_RESULTS = {
    FireStatus.OK: Result.SUCCESS,
    FireStatus.DENIED: Result.DENIED,
    FireStatus.BUDGET_EXCEEDED: Result.BUDGET_EXCEEDED,
    FireStatus.TIMEOUT: Result.TIMEOUT,
    FireStatus.INTERRUPTED: Result.INTERRUPTED,
    FireStatus.MISSED: Result.MISSED,
    FireStatus.OVERLAPPED: Result.MISSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticking:
    """What a node runs: its ticker and its chores. ``close`` ends both earlier than the end of the block does.

    ``stops`` are the chores of every node; the others are a gateway's. ``live`` is what its runs are doing.
    """

    node: str
    kinds: tuple[str, ...]
    ticker: Ticker
    engine: Engine
    chores: tuple[Chore, ...]
    stops: tuple[Chore, ...]
    live: LiveRuns
    close: Callable[[], Awaitable[None]]


@asynccontextmanager
async def open_ticking(
    app: App, kinds: Sequence[str], *, node: str | None = None, durable: bool, drain_s: float = 0.0
) -> AsyncIterator[Ticking]:
    """Open what ticks of these kinds; with ``durable`` its runs survive the process.

    At the end runs get ``drain_s`` seconds, then are left to be resumed. Raises ``StorageError``.
    """
    name = node or f"{platform.node()}-{os.getpid()}-{secrets.token_hex(3)}"
    state = app.state
    live = LiveRuns()
    queries = await query_schedule(app, live) if QUERY in kinds else None
    rooms = [*schedules(app, kinds), *([] if queries is None else [queries])]
    player = Player(state.db, state.org, name, rooms, FireRecorder(app, queries).record, state.clock)
    engine = open_engine(app, name, player) if durable else InlineEngine(name, player.bodies(), state.clock)
    ticker = Ticker(state.db, state.org, name, player, engine, state.clock)
    await ticker.begin()
    closed = False

    async def close() -> None:
        nonlocal closed
        if not closed:
            closed = True
            await ticker.stop(drain_s=drain_s)

    try:
        stops: tuple[Chore, ...] = (
            () if queries is None else (StopQueries(db=state.db, org=state.org, schedule=queries),)
        )
        yield Ticking(
            node=name,
            kinds=tuple(kinds),
            ticker=ticker,
            engine=engine,
            chores=chores(app),
            stops=stops,
            live=live,
            close=close,
        )
    finally:
        await close()


def schedules(app: App, kinds: Sequence[str]) -> list[Schedule]:
    """Give the rooms of these kinds."""
    agent, notifier, settings = (
        AgentGoals(app.loop, app.state.redactor),
        app.notifications.service,
        app.state.loaded.settings,
    )
    rooms: list[Schedule] = []
    if "cron" in kinds:
        rooms.append(CronSchedule(settings=settings.scheduler, agent=agent, notifier=notifier))
    if "heartbeat" in kinds:
        rooms.append(heartbeat_schedule(app, agent))
    if "alert" in kinds:
        rooms.append(alert_schedule(app))
    return rooms


async def query_schedule(app: App, live: LiveRuns) -> QuerySchedule:
    """Give the room of questions; raises ``ConfigError`` for a provider that cannot be used."""
    limit = app.state.loaded.settings.gateways.http.max_concurrent_runs
    agent = AgentAnswers(await app.loop(), app.runbooks)
    return QuerySchedule(db=app.state.db, agent=agent, live=live, max_running=limit)


def chores(app: App) -> tuple[Chore, ...]:
    """Give what is done beside the ticker."""
    settings = app.state.loaded.settings
    return (
        *((app.notifications.worker(app.pipeline),) if settings.notification.enabled else ()),
        *((heartbeat_files(app),) if settings.heartbeat_tasks.enabled else ()),
    )


def switched_on(app: App) -> tuple[str, ...]:
    """Name the kinds whose settings let them tick; raises ``ConfigError`` when none does."""
    settings = app.state.loaded.settings
    switches = {
        "cron": ("scheduler", settings.scheduler.enabled),
        "heartbeat": ("heartbeat_tasks", settings.heartbeat_tasks.enabled),
        "alert": ("alerting", settings.alerting.enabled),
        QUERY: ("gateways.http", settings.gateways.http.enabled),
    }
    kinds = tuple(kind for kind, (_, on) in switches.items() if on)
    if not kinds:
        raise ConfigError(
            "nothing is switched on that this could run",
            hint="set " + " or ".join(f"{section}.enabled: true" for section, _ in switches.values()),
        )
    return kinds


def open_engine(app: App, node: str, player: Player) -> Engine:
    """Open the engine beside the workspace's database, on the same server or in a file of its own."""
    from akili_cli.adapters.engine.backends.dbos import open_dbos

    state = app.state
    if state.loaded.settings.storage.driver == "postgres":
        return open_dbos(node, player.bodies(), database_dsn(state.loaded.settings.storage, state.secrets))
    return open_dbos(node, player.bodies(), state.workspace.engine_db)


@dataclass(frozen=True, slots=True)
class FireRecorder:
    """Writes each fire's begin and end to the audit; then whoever watches a question is told its end."""

    app: App
    queries: QuerySchedule | None = None

    async def record(self, fire: Fire, ended: Ended | None) -> None:
        """Append one record; raises ``AuditError``, and then the fire does not run."""
        parameters: dict[str, object] = {"fire": fire.id, "attempt": fire.attempt, "manual": fire.manual}
        if ended is None:
            parameters |= {"job": dict(fire.payload)}
        asked = fire.payload if fire.kind == QUERY else {}
        await self.app.pipeline.audit.append(
            AuditRecord(
                kind=Kind.RUN,
                org=fire.org,
                user=fire.user,
                source=str(asked.get("source", fire.kind)),
                correlation_id=str(asked.get("correlation_id", fire.id)),
                run_id="" if ended is None else ended.run_id,
                tool=FIRE_NAMES[fire.kind],
                parameters=parameters,
                result=Result.STARTED if ended is None else _RESULTS.get(ended.status, Result.FAILURE),
                error="" if ended is None else ended.error,
                cost_usd=None if ended is None else ended.cost_usd,
                duration_s=None if ended is None or ended.duration_s is None else round(ended.duration_s, 6),
                facts=_facts(fire, ended),
            )
        )
        if ended is not None and self.queries is not None and fire.kind == QUERY:
            await self.queries.tell_end(fire)


def _facts(fire: Fire, ended: Ended | None) -> dict[str, object]:
    found = None if ended is None else ended.details.get("found")
    return {"kind": fire.kind} if found is None else {"kind": fire.kind, "found": found}
