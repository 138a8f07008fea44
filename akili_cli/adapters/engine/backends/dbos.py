"""The engine of gateways and workers: DBOS keeps each finished step in SQLite or PostgreSQL.

One generic workflow plays every body, so that nothing but ``APPLICATION_VERSION`` ties a run to the code it began
with. Its own recovery covers a restart of the same node only; the ticker asks for the runs of lost nodes and
resumes them here.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import sqlalchemy
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from akili_cli.adapters.engine.base import Body, EngineRun, Json, RunState
from akili_cli.domain.errors import NotFoundError, StorageError

APPLICATION_VERSION = "1"
"""Raised only when a body changes so that an old run's kept steps no longer fit it."""

SCHEMA = "akili_engine"
BUSY_TIMEOUT_S = 15.0
THREADS = 32
_WORKFLOW = "akili_run"
_STATES = {
    "PENDING": RunState.RUNNING,
    "ENQUEUED": RunState.QUEUED,
    "DELAYED": RunState.QUEUED,
    "SUCCESS": RunState.DONE,
    "ERROR": RunState.FAILED,
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": RunState.FAILED,
    "CANCELLED": RunState.CANCELLED,
}
_OPEN = ["PENDING", "ENQUEUED", "DELAYED"]


@dataclass(frozen=True, slots=True)
class DurableSteps:
    """The steps of the workflow that is being played."""

    run_id: str

    async def step(self, name: str, act: Callable[[], Awaitable[Json]]) -> Json:
        """Do it once and keep its value."""

        async def once() -> Json:
            return await act()

        return await DBOS.run_step_async({"name": name}, once)

    async def sleep(self, seconds: float) -> None:
        """Wait for what is left."""
        await DBOS.sleep_async(seconds)


class DbosEngine:
    """One per process, because DBOS is; open it in the running loop with ``open_dbos``."""

    def __init__(self, node: str, bodies: Mapping[str, Body]) -> None:
        """Keep the bodies by kind."""
        self._node = node
        self._bodies = dict(bodies)
        self._playing: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._closed = False

        @DBOS.workflow(name=_WORKFLOW)
        async def workflow(kind: str, payload: dict[str, Json]) -> Json:
            return await self._play(kind, payload)

        self._workflow = workflow

    async def start(self, run_id: str, kind: str, payload: Mapping[str, Json]) -> bool:
        """Start a body in the background; False when a run of that name exists."""
        if kind not in self._bodies:
            raise KeyError(kind)
        if await DBOS.get_workflow_status_async(run_id) is not None:
            return False
        self._playing.add(run_id)
        with SetWorkflowID(run_id):
            await DBOS.start_workflow_async(self._workflow, kind, dict(payload))
        return True

    async def wait(self, run_id: str) -> EngineRun:
        """Wait until a run has ended; raises ``NotFoundError``."""
        if await DBOS.get_workflow_status_async(run_id) is None:
            raise NotFoundError(f"no run {run_id[:80]!r}")
        handle: Any = await DBOS.retrieve_workflow_async(run_id)
        try:
            await handle.get_result()
        except Exception:  # whatever the body raised; the run's state and error say it
            logging.getLogger(__name__).debug("a run ended with an error", extra={"run": run_id})
        found = await self.get(run_id)
        assert found is not None
        return found

    async def get(self, run_id: str) -> EngineRun | None:
        """Give one run, or None."""
        status = await DBOS.get_workflow_status_async(run_id)
        return None if status is None else _run(status)

    async def cancel(self, run_id: str) -> None:
        """End a run before its next step."""
        await DBOS.cancel_workflow_async(run_id)

    async def unfinished(self, nodes: Sequence[str]) -> list[EngineRun]:
        """Give the queued and running runs of these nodes."""
        if not nodes:
            return []
        found = await DBOS.list_workflows_async(status=_OPEN, executor_id=list(nodes), load_output=False)
        return [_run(status) for status in found]

    async def resume(self, run_ids: Sequence[str]) -> None:
        """Take over runs whose node is gone."""
        if run_ids:
            await DBOS.resume_workflows_async(list(run_ids))

    async def close(self, *, drain_s: float = 0.0) -> None:
        """Wait that long for what plays here, then cut the rest off, to be resumed.

        The library puts its own thread pool under the loop; it goes with it, so the loop gets a new one.
        """
        if self._closed:
            return
        self._closed = True
        try:
            async with asyncio.timeout(drain_s):
                while self._playing:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            pass
        for task in self._tasks:
            task.cancel()  # before the tables are closed under it: it must not end as failed
        if self._tasks:
            await asyncio.wait(self._tasks)
        pool = ThreadPoolExecutor(thread_name_prefix="akili")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(pool, lambda: DBOS.destroy(destroy_registry=True))
        loop.set_default_executor(pool)

    async def _play(self, kind: str, payload: dict[str, Json]) -> Json:
        run_id, task = cast("str", DBOS.workflow_id), cast("asyncio.Task[Any]", asyncio.current_task())
        self._playing.add(run_id)
        self._tasks.add(task)
        try:
            return await self._bodies[kind](DurableSteps(run_id), payload)
        finally:
            self._tasks.discard(task)
            self._playing.discard(run_id)
            self._idle.set()


def open_dbos(node: str, bodies: Mapping[str, Body], where: Path | str, *, poll_s: float = 1.0) -> DbosEngine:
    """Open the engine's own tables, in a SQLite file or in the schema ``akili_engine`` of a PostgreSQL database.

    ``poll_s`` is how soon a resumed run is seen. Must be called in the running loop. Raises ``StorageError``.
    """
    config: DBOSConfig = {
        "name": "akili",
        "application_version": APPLICATION_VERSION,
        "executor_id": node,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "CRITICAL",
        "notification_listener_polling_interval_sec": poll_s,
        "scheduler_polling_interval_sec": 86400.0,
        "max_executor_threads": THREADS,
    }
    if isinstance(where, Path):
        where.touch(mode=0o600, exist_ok=True)
        config["system_database_url"] = f"sqlite:///{where}"
        config["system_database_engine"] = _sqlite(where)
    else:
        config["system_database_url"] = _postgres_url(where)
        config["dbos_system_schema"] = SCHEMA
        config["sys_db_pool_size"] = 5
    try:
        DBOS(config=config)
        engine = DbosEngine(node, bodies)
        DBOS.launch()
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        DBOS.destroy(destroy_registry=True)
        raise StorageError(
            f"the engine's tables cannot be opened ({type(error).__name__})",
            hint="check storage.driver, AKILI_DB_DSN and the workspace's permissions",
        ) from error
    return engine


def _sqlite(path: Path) -> sqlalchemy.Engine:
    """WAL, so that readers do not wait; a crash of akili loses nothing, a power cut at most the last steps.

    What must not be done twice after that is noted in the workspace's own database first.
    """
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})

    @sqlalchemy.event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _postgres_url(dsn: str) -> str:
    from psycopg.conninfo import conninfo_to_dict

    parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    url = sqlalchemy.URL.create(
        "postgresql+psycopg",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        database=parts.pop("dbname", None),
        query={key: value for key, value in parts.items() if key not in ("client_encoding",)},
    )
    return url.render_as_string(hide_password=False)


def _run(status: Any) -> EngineRun:  # noqa: ANN401  # the library's own status object
    state = _STATES.get(status.status, RunState.FAILED)
    given = status.input["args"] if status.input else ()
    return EngineRun(
        id=status.workflow_id,
        kind=str(given[0]) if given else "",
        state=state,
        node=status.executor_id or "",
        result=status.output if state is RunState.DONE else None,
        error=str(status.error) if status.error is not None else "",
    )
