"""Nodes that are killed at any moment: every fire time runs once or is shown as interrupted, no effect is doubled.

``AKILI_CHAOS_SECONDS`` and ``AKILI_CHAOS_JOBS`` make it longer: 180 and 500 are the figures that are told of.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.postgres import open_postgres
from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.domain.clock import SystemClock
from akili_cli.features.cron import store
from tests.fakes.appending_model import appending_model
from tests.fakes.cron import job
from tests.fakes.postgres_server import any_server, own_database
from tests.integration.akili import ROLE
from tests.integration.test_postgres import Placed

SECONDS = float(os.environ.get("AKILI_CHAOS_SECONDS", "10"))
JOBS = int(os.environ.get("AKILI_CHAOS_JOBS", "40"))
SETTLE_S = 120 + JOBS
pytestmark = pytest.mark.timeout(SECONDS + SETTLE_S + 120)
CONFIG = {
    "security": {
        "roles": {
            "operator": {**ROLE, "permissions": [*ROLE["permissions"], "create_cronjob"], "max_risk_level": "high"}
        },
        "default_role": "operator",
    },
    "policies": {
        "rules": [
            {
                "id": "lines",
                "match": {"tools": ["shell_exec"], "commands": ["echo"]},
                "verdict": "allow",
                "because": "the jobs write lines",
                "risk": "low",
            }
        ]
    },
    "scheduler": {"enabled": True, "poll_interval_seconds": 1, "max_concurrent_jobs": 4},
    "budget": {"default_limit_usd": 1000},
}


@pytest.mark.parametrize(("driver", "nodes"), [("sqlite", 1), ("postgres", 2)])
def test_killed_nodes_lose_and_double_nothing(driver: str, nodes: int, tmp_path: Path) -> None:
    with (
        any_server() if driver == "postgres" else nullcontext("") as server,
        own_database(server) if server else nullcontext("") as dsn,
    ):
        _chaos(Placed(tmp_path, dsn), nodes)


def _chaos(akili: Placed, nodes: int) -> None:
    out = akili.work / "out"
    out.mkdir()
    out.chmod(0o777)
    akili.work.chmod(0o755)
    with appending_model(out) as url:
        akili.configure(model_url=url, **CONFIG)
        assert akili.run("cron", "list").returncode == 0  # the schema is there
        asyncio.run(_with_database(akili, _add_jobs))
        kills = _kill_at_random(akili, nodes)
        _settle(akili)
    fires = asyncio.run(_with_database(akili, _fires))
    statuses = Counter(status for _, status in fires)
    assert len(fires) == JOBS
    assert set(statuses) <= {"ok", "interrupted"}, statuses
    lines = {path.name: path.read_text().splitlines() for path in out.iterdir()}
    assert [name for name, found in lines.items() if len(found) > 1] == []
    assert sorted(name for name, status in fires if status == "ok" and name not in lines) == []
    assert kills >= 2
    done = akili.run("audit", "verify")
    assert done.returncode == 0, done.stdout + done.stderr


def _kill_at_random(akili: Placed, nodes: int) -> int:
    chance, kills = random.Random(7), 0
    running: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            for number in range(nodes):
                if number not in running:
                    running[number] = (_start(akili), time.monotonic() + chance.uniform(1.0, 6.0))
                process, until = running[number]
                if time.monotonic() >= until:
                    assert process.poll() is None, process.stderr and process.stderr.read()
                    process.kill()
                    process.communicate()
                    del running[number]
                    kills += 1
            time.sleep(0.05)
    finally:
        for process, _ in running.values():
            process.kill()
            process.communicate()
    return kills + len(running)


def _settle(akili: Placed) -> None:
    """Let one node finish what the killed ones left, then end it in order."""
    process = _start(akili)
    end = time.monotonic() + SETTLE_S
    try:
        assert process.stderr is not None
        while b" runs " not in process.stderr.readline():  # a signal before that ends it out of order
            assert process.poll() is None
        time.sleep(0.5)
        while time.monotonic() < end:
            fires = asyncio.run(_with_database(akili, _fires))
            if len(fires) == JOBS and not any(status in ("running", "waiting") for _, status in fires):
                break
            time.sleep(0.5)
        process.terminate()
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert b"Traceback" not in err, err.decode()


def _start(akili: Placed) -> subprocess.Popen[bytes]:
    return akili.start("gateway", "--drain", "5", stdout=subprocess.DEVNULL)


async def _with_database(akili: Placed, act: Callable[[Database], object]) -> object:
    db: Database
    if akili.dsn:
        db = await open_postgres(akili.dsn, max_open=2, max_idle=1, lifetime_s=600)
    else:
        db = await open_sqlite(akili.workspace / "akili.db")
    try:
        return await act(db)
    finally:
        await db.close()


async def _add_jobs(db: Database) -> None:
    now = SystemClock().now()

    def work(conn: Connection) -> None:
        for number in range(JOBS):
            name = f"job{number}"
            store.add(
                conn,
                job(
                    id=name,
                    name=name,
                    goal=f"append {name}",
                    cron_expression="0 0 1 1 *",
                    next_run_at=now,
                    created_at=now,
                    updated_at=now,
                    user="cli-user",
                ),
            )

    await db.write(work, durable=True)


async def _fires(db: Database) -> list[tuple[str, str]]:
    rows = await db.read(lambda c: c.execute("SELECT payload, status FROM fires"))
    return [(json.loads(str(row["payload"]))["name"], str(row["status"])) for row in rows]
