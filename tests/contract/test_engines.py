from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from akili_cli.adapters.engine.backends.dbos import SCHEMA, open_dbos
from akili_cli.adapters.engine.backends.inline import InlineEngine
from akili_cli.adapters.engine.base import Engine, Json, RunState, Steps
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.errors import NotFoundError


class Bodies:
    """What the engines of these tests can run; counts what was really done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.hold = asyncio.Event()

    async def counts(self, steps: Steps, payload: Mapping[str, Json]) -> Json:
        async def act(what: str) -> Json:
            self.done.append(f"{steps.run_id} {what}")
            return {"what": what}

        found = [await steps.step(name, lambda name=name: act(name)) for name in ("a", "b")]
        return {"found": found, "given": payload}

    async def breaks(self, _steps: Steps, _payload: Mapping[str, Json]) -> Json:
        raise ValueError("it broke")

    async def waits(self, steps: Steps, _payload: Mapping[str, Json]) -> Json:
        async def act() -> Json:
            await self.hold.wait()
            return "held"

        return await steps.step("hold", act)

    async def side_by_side(self, steps: Steps, _payload: Mapping[str, Json]) -> Json:
        async def act(number: int) -> Json:
            return number

        return list(await asyncio.gather(*(steps.step(f"s{n}", lambda n=n: act(n)) for n in range(5))))

    def table(self) -> dict[str, object]:
        return {"counts": self.counts, "breaks": self.breaks, "waits": self.waits, "side": self.side_by_side}


@pytest.fixture
def bodies() -> Bodies:
    return Bodies()


@pytest.fixture(params=["inline", "dbos on SQLite", "dbos on PostgreSQL"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path, bodies: Bodies) -> AsyncIterator[Engine]:
    if request.param == "inline":
        opened: Engine = InlineEngine("node-1", bodies.table(), SystemClock())
        yield opened
        await opened.close()
        return
    if "SQLite" in request.param:
        opened = open_dbos("node-1", bodies.table(), tmp_path / "engine.db")
    else:
        opened = open_dbos("node-1", bodies.table(), request.getfixturevalue("postgres_dsn"))
    yield opened
    await opened.close()
    if "PostgreSQL" in request.param:
        import psycopg

        with psycopg.connect(request.getfixturevalue("postgres_dsn"), autocommit=True) as connection:
            connection.execute(f'DROP SCHEMA IF EXISTS "{SCHEMA}" CASCADE'.encode())


async def test_a_run_ends_with_what_its_body_gives(engine: Engine, bodies: Bodies) -> None:
    assert await engine.start("cron:x:1", "counts", {"n": 1, "text": "ü"})
    run = await engine.wait("cron:x:1")
    assert (run.state, run.kind, run.node) == (RunState.DONE, "counts", "node-1")
    assert run.result == {"found": [{"what": "a"}, {"what": "b"}], "given": {"n": 1, "text": "ü"}}
    assert bodies.done == ["cron:x:1 a", "cron:x:1 b"]


async def test_a_second_start_of_a_name_does_nothing(engine: Engine, bodies: Bodies) -> None:
    assert await engine.start("r", "counts", {})
    assert not await engine.start("r", "counts", {})
    await engine.wait("r")
    assert not await engine.start("r", "counts", {})
    assert len(bodies.done) == 2


async def test_a_body_that_raises_fails_its_run_and_says_why(engine: Engine) -> None:
    await engine.start("r", "breaks", {})
    run = await engine.wait("r")
    assert run.state is RunState.FAILED
    assert "it broke" in run.error


async def test_steps_may_run_side_by_side(engine: Engine) -> None:
    await engine.start("r", "side", {})
    assert (await engine.wait("r")).result == [0, 1, 2, 3, 4]


async def test_an_unknown_run_is_not_found(engine: Engine) -> None:
    assert await engine.get("nothing") is None
    with pytest.raises(NotFoundError):
        await engine.wait("nothing")


async def test_an_unknown_kind_starts_nothing(engine: Engine) -> None:
    with pytest.raises(KeyError):
        await engine.start("r", "nonsense", {})
    assert await engine.get("r") is None


async def test_what_runs_is_listed_by_node(engine: Engine, bodies: Bodies) -> None:
    await engine.start("r", "waits", {})
    assert [run.id for run in await engine.unfinished(["node-1", "node-2"])] == ["r"]
    assert await engine.unfinished(["node-2"]) == []
    assert await engine.unfinished([]) == []
    bodies.hold.set()
    assert (await engine.wait("r")).result == "held"
    assert await engine.unfinished(["node-1"]) == []


async def test_a_cancelled_run_does_not_end_well(engine: Engine, bodies: Bodies) -> None:
    await engine.start("r", "waits", {})
    await asyncio.sleep(0.05)
    await engine.cancel("r")
    bodies.hold.set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            await engine.wait("r")
    run = await engine.get("r")
    assert run is not None
    assert run.state is RunState.CANCELLED


async def test_closing_waits_for_what_runs(engine: Engine, bodies: Bodies) -> None:
    await engine.start("r", "waits", {})
    asyncio.get_running_loop().call_later(0.1, bodies.hold.set)
    await engine.close(drain_s=5)
    assert bodies.hold.is_set()


async def test_what_is_cut_off_at_the_end_has_neither_ended_nor_failed(tmp_path: Path, bodies: Bodies) -> None:
    cut: list[str] = []

    async def body(steps: Steps, payload: Mapping[str, Json]) -> Json:
        try:
            return await bodies.waits(steps, payload)
        except asyncio.CancelledError:
            cut.append(steps.run_id)
            raise

    engine = open_dbos("node-1", {"waits": body}, tmp_path / "engine.db")
    await engine.start("r", "waits", {})
    while "r" not in engine._playing or not engine._tasks:
        await asyncio.sleep(0)
    await engine.close()
    assert cut == ["r"]
    bodies.hold.set()
    again = open_dbos("node-2", bodies.table(), tmp_path / "engine.db", poll_s=0.05)
    assert [run.id for run in await again.unfinished(["node-1"])] == ["r"]
    await again.resume(["r"])
    assert (await again.wait("r")).result == "held"
    await again.close()
