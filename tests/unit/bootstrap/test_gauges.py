from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from akili_cli.adapters.telemetry.metrics import Metrics
from akili_cli.bootstrap.gauges import FRESH_S, Exposition
from akili_cli.core.schedule import store
from akili_cli.core.schedule.base import Fire, FireStatus
from tests.fakes.clock import FakeClock
from tests.fakes.node import Gone, node


def values(text: bytes) -> dict[str, float]:
    return {
        f"{s.name}{dict(sorted(s.labels.items())) or ''}": s.value
        for family in text_string_to_metric_families(text.decode())
        for s in family.samples
    }


def fire(name: str, kind: str) -> Fire:
    return Fire(
        id=f"{kind}:{name}", org="default", kind=kind, job_id=name, fire_at=1.0, user="ann", payload={}, node="n"
    )


async def test_the_page_shows_what_is_open_now(tmp_path: Path) -> None:
    async with node(tmp_path) as (app, ticking):
        db = app.state.db
        await db.write(lambda c: store.add(c, fire("a", "cron"), FireStatus.RUNNING, 1.0))
        await db.write(lambda c: store.add(c, fire("b", "cron"), FireStatus.WAITING, 1.0))
        await db.write(lambda c: store.add(c, fire("c", "query"), FireStatus.RUNNING, 1.0))
        page = Exposition(app, Metrics(), ticking)
        page.begin()
        found = values(await page.text())
    assert found["akili_fires_open{'kind': 'cron', 'status': 'running'}"] == 1
    assert found["akili_fires_open{'kind': 'cron', 'status': 'waiting'}"] == 1
    assert found["akili_active_runs"] == 2
    assert found["akili_audit_stream_records"] == 1
    assert found["akili_approvals_waiting"] == 0
    assert found["akili_ticker_lag_seconds"] == 0
    assert found["akili_state_readable"] == 1
    assert found["akili_audit_write_failures_total"] == 0
    assert any(name.startswith("akili_build_info{") for name in found)
    assert any(name.startswith("akili_sandbox_layer_active{") for name in found)


async def test_a_lost_database_leaves_old_numbers_and_says_so(tmp_path: Path) -> None:
    async with node(tmp_path) as (app, ticking):
        clock = FakeClock()
        page = Exposition(app, Metrics(), ticking)
        app.state = replace(app.state, clock=clock)
        assert values(await page.text())["akili_state_readable"] == 1
        app.state = replace(app.state, db=Gone())  # type: ignore[arg-type] # its two verbs are enough
        clock.move(FRESH_S)
        found = values(await page.text())
        assert (found["akili_state_readable"], found["akili_audit_stream_records"]) == (0, 1)


async def test_however_often_it_is_asked_for_the_database_is_read_once_a_second(tmp_path: Path) -> None:
    async with node(tmp_path) as (app, ticking):
        clock, reads = FakeClock(), list[int]()
        inner = app.state.db

        class Counted(Gone):
            async def read(self, fn: object) -> object:  # type: ignore[override] # counts what it passes on
                reads.append(1)
                return await inner.read(fn)  # type: ignore[arg-type] # passed on as it came

        app.state = replace(app.state, clock=clock, db=Counted())  # type: ignore[arg-type] # its one verb is enough
        page = Exposition(app, Metrics(), None)
        await asyncio.gather(*(page.text() for _ in range(20)))
        assert len(reads) == 1
        clock.move(FRESH_S)
        await page.text()
        assert len(reads) == 2
    del ticking
