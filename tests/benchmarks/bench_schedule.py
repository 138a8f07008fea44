"""Prints what ticking costs: due-to-start latency, claiming many due jobs with one and two nodes, an idle gateway.

The jobs do nothing, so that the figures are the ticker's own. ``--quick`` takes 1,000 due jobs instead of 10,000.
Alert checks are real ones: HTTP requests to a server here, through policy, record and sandbox door as in a gateway.
``--alerts`` measures those alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from akili_cli.adapters.engine.backends.inline import InlineEngine
from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.backends.postgres import open_postgres
from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.base import Database
from akili_cli.adapters.storage.schema import STEPS
from akili_cli.bootstrap.app import Start, open_app, open_state
from akili_cli.bootstrap.ticking import open_ticking
from akili_cli.core.schedule.base import Ended, Fire, FireStatus
from akili_cli.core.schedule.player import Player
from akili_cli.core.schedule.ticker import Ticker
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.clock import SystemClock
from akili_cli.features.alerts.model import RuleDraft
from tests.benchmarks.figures import percentile, show
from tests.fakes.postgres_server import any_server, own_database
from tests.fakes.schedule import PROBE_STEP, ProbeSchedule, add_probe_job
from tests.fakes.web import response, web_server

LATENCIES = 100
IDLE_S = 60.0
RULES = 200


async def _recorded(_fire: Fire, _ended: Ended | None) -> None:
    """Leave the audit out: it has a benchmark of its own."""


class Node:
    """A ticker over jobs that note when they start."""

    def __init__(self, db: Database, name: str) -> None:
        self.started: list[tuple[str, float]] = []
        self.schedule = ProbeSchedule(self._run, max_running=50)
        clock = SystemClock()
        player = Player(db, "default", name, [self.schedule], _recorded, clock)
        self.ticker = Ticker(db, "default", name, player, InlineEngine(name, player.bodies(), clock), clock)

    async def _run(self, fire: Fire, _steps: Steps) -> Ended:
        self.started.append((fire.id, time.time() - fire.fire_at))
        return Ended(status=FireStatus.OK)


@contextlib.asynccontextmanager
async def nodes(where: Path | str, count: int) -> AsyncIterator[tuple[Database, list[Node]]]:
    """Open nodes with a database connection each, as processes would have."""
    steps = (*STEPS, PROBE_STEP)
    opened = [
        await open_sqlite(where, steps=steps)
        if isinstance(where, Path)
        else await open_postgres(where, max_open=5, max_idle=2, lifetime_s=600, steps=steps)
        for _ in range(count)
    ]
    made = [Node(db, f"n{number}") for number, db in enumerate(opened)]
    for node in made:
        await node.ticker.begin()
    try:
        yield opened[0], made
    finally:
        for db in opened:
            await db.close()


async def latency(where: Path | str, label: str) -> None:
    """Add jobs that are due in a moment and see how late they start."""
    async with nodes(where, 1) as (db, (node,)):
        loop = asyncio.create_task(node.ticker.run())
        for number in range(LATENCIES):
            at = time.time() + 0.15
            await db.write(lambda c, at=at, number=number: add_probe_job(c, f"l{number}", "0 0 1 1 *", at))
            node.ticker._changed.set()  # as if it had been known before
            while len(node.started) <= number:
                await asyncio.sleep(0.005)
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop
        late = [seconds * 1000 for _, seconds in node.started]
    show(f"{label}: due to start, p50 / p99", f"{percentile(late, 0.5):.1f} / {percentile(late, 0.99):.1f} ms")


async def many(where: Path | str, label: str, jobs: int, count: int) -> None:
    """Let nodes run many due jobs; each exactly once."""
    async with nodes(where, count) as (db, made):
        now = time.time()
        await db.write(lambda c: [add_probe_job(c, f"m{count}-{n}", "0 0 1 1 *", now) for n in range(jobs)])
        began = time.perf_counter()
        loops = [asyncio.create_task(node.ticker.run()) for node in made]
        while sum(len(node.started) for node in made) < jobs:
            await asyncio.sleep(0.01)
        took = time.perf_counter() - began
        for loop in loops:
            loop.cancel()
        await asyncio.wait(loops)
        fires = [fire for node in made for fire, _ in node.started]
        assert len(fires) == len(set(fires)) == jobs
    show(f"{label}: {jobs:,} due jobs, {count} node(s)", f"{took:.1f} s, {jobs / took:,.0f}/s, 0 twice")


async def alert_checks(home: Path) -> None:
    """Let many rules be due at once and see how many checks a gateway's worker makes in a second."""
    work = home / "work"
    work.mkdir()
    async with web_server(lambda _head: response(b"fine")) as web:
        host = f"127.0.0.1:{web.port}"
        role = {"permissions": ["create_alert", "web_search", "send_notification"], "max_risk_level": "high"}
        reachable = {"allowed_domains": ["127.0.0.1"], "allowed_ports": [web.port], "allowed_private_hosts": [host]}
        config = {
            "security": {"roles": {"operator": role}, "default_role": "operator"},
            "tools": {"web": reachable},
            "notification": {"enabled": True},
            "alerting": {"enabled": True},
        }
        place = home / ".akili"
        place.mkdir(mode=0o700)
        (place / "config.json").write_text(json.dumps(config))
        (place / "config.json").chmod(0o600)
        env = {"HOME": str(home), "PATH": os.environ["PATH"]}
        me = Principal("ann", Source.CLI)
        async with open_state(Start(env, work)) as state, open_app(state) as app:
            await app.notifications.service.add("ops", "webhook", {"url": "https://example.com/"}, me)
            for number in range(RULES):
                draft = RuleDraft(
                    name=f"r{number}",
                    target=f"http://{host}/{number}",
                    check_type="http_status",
                    cron_expression="0 0 1 1 *",
                    channels=("ops",),
                )
                await app.alerts.add(draft, me)
            async with open_ticking(app, ("alert",), durable=False) as ticking:
                due = {"now": time.time()}
                await state.db.write(lambda c: c.execute("UPDATE alert_rules SET next_run_at = :now", due))
                began = time.perf_counter()
                loop = asyncio.create_task(ticking.ticker.run())
                found: list[object] = []
                while len(found) < RULES:
                    await asyncio.sleep(0.05)
                    rows = await state.db.read(lambda c: c.execute("SELECT found FROM alert_history"))
                    found = [row["found"] for row in rows]
                took = time.perf_counter() - began
                loop.cancel()
                await asyncio.wait([loop])
                assert set(found) == {"ok"}, found
    show(f"SQLite: {RULES} alert checks due at once", f"{took:.1f} s, {RULES / took:,.0f} checks/s")


def idle_gateway() -> None:
    """Start the real gateway with nothing to do and read what it used in a minute."""
    with tempfile.TemporaryDirectory() as home:
        config = Path(home, ".akili", "config.yaml")
        config.parent.mkdir(mode=0o700)
        config.write_text("scheduler: {enabled: true}\n")
        process = subprocess.Popen(
            [sys.executable, "-m", "akili_cli", "gateway"],
            env={"HOME": home, "PATH": os.environ["PATH"]},
            stderr=subprocess.PIPE,
            cwd=home,
        )
        assert process.stderr is not None
        process.stderr.readline()
        time.sleep(5)
        before = _used(process.pid)
        time.sleep(IDLE_S)
        used, rss = _used(process.pid) - before, _rss_mib(process.pid)
        process.terminate()
        process.communicate(timeout=60)
    show("idle gateway: processor, memory", f"{100 * used / IDLE_S:.1f} % of a core, {rss:.0f} MiB")


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _tree(int(child))


def _used(pid: int) -> float:
    ticks = 0
    for one in _tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _rss_mib(pid: int) -> float:
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in _tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(alert_checks(Path(directory)))
    if "--alerts" in sys.argv:
        return
    jobs = 1_000 if "--quick" in sys.argv else 10_000
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(latency(Path(directory, "l.db"), "SQLite"))
        for count in (1, 2):
            asyncio.run(many(Path(directory, f"m{count}.db"), "SQLite", jobs, count))
    with any_server() as server:
        with own_database(server) as dsn:
            asyncio.run(latency(dsn, "PostgreSQL"))
        for count in (1, 2):
            with own_database(server) as dsn:
                asyncio.run(many(dsn, "PostgreSQL", jobs, count))
    idle_gateway()


if __name__ == "__main__":
    main()
