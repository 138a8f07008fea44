from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from akili_cli.bootstrap.observability import open_observability
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.domain.calls import Principal, Run, ToolCall
from akili_cli.features.anomalies.model import AnomalyKind
from tests.fakes.node import node


def values(text: bytes) -> dict[str, float]:
    return {
        f"{s.name}{dict(sorted(s.labels.items())) or ''}": s.value
        for family in text_string_to_metric_families(text.decode())
        for s in family.samples
    }


DENIED = AuditRecord(kind=Kind.CALL_OUTCOME, result=Result.POLICY_DENIED, user="eve", tool="shell_exec")


async def test_by_default_there_are_health_routes_and_nobody_counts(tmp_path: Path) -> None:
    async with node(tmp_path) as (app, ticking), open_observability(app, ticking) as seen:
        paths = {route.path for router in seen.routers for route in router.routes}  # type: ignore[attr-defined] # ours
        assert paths == {"/healthz", "/readyz", "/v1/healthz"}
        assert (seen.metrics, seen.chores, app.pipeline.audit.observer) == (None, (), None)
        edge = object()
        assert seen.wrapped(edge, []) is edge  # type: ignore[arg-type] # only handed through


async def test_what_is_recorded_shows_on_the_page_where_the_settings_say(tmp_path: Path) -> None:
    on = {"observability.metrics.enabled": True, "observability.metrics.path": "/internal/metrics"}
    async with node(tmp_path, **on) as (app, ticking), open_observability(app, ticking) as seen:
        (route,) = [r for router in seen.routers for r in router.routes if r.path == "/internal/metrics"]  # type: ignore[attr-defined] # ours
        run = Run("run-1", Principal("ann"), "c" * 16)
        step = await app.pipeline.run(ToolCall("1", "shell_exec", {"command": "true"}), run)
        await ticking.ticker.tick()
        answer = await route.endpoint()  # type: ignore[attr-defined] # ours
        found = values(answer.body)
        assert found["akili_tool_executions_total{'status': 'success', 'tool': 'shell_exec'}"] == 1, step.text
        assert found["akili_sandbox_executions_total{'status': 'success', 'type': 'process'}"] == 1
        assert found["akili_scheduler_tick_duration_seconds_count"] == 1
        assert seen.wrapped(lambda *_: None, []) is not None  # type: ignore[arg-type,return-value] # not called
    assert app.pipeline.audit.observer is None
    assert ticking.ticker.watch is None


async def test_anomalies_are_looked_for_when_they_are_switched_on_and_counted_too(tmp_path: Path) -> None:
    on = {
        "observability.metrics.enabled": True,
        "observability.anomaly.enabled": True,
        "observability.anomaly.denial_burst": 3,
    }
    async with node(tmp_path, **on) as (app, ticking), open_observability(app, ticking) as seen:
        (watch,) = seen.chores
        for _ in range(3):
            await app.pipeline.audit.append(DENIED)
        await watch.tick(app.state.clock.now())
        assert seen.metrics is not None
        assert values(seen.metrics.text())["akili_anomalies_total{'kind': 'denial_burst'}"] == 1


async def test_every_kind_of_anomaly_is_shown_as_nothing_from_the_beginning(tmp_path: Path) -> None:
    on = {"observability.metrics.enabled": True}
    async with node(tmp_path, **on) as (app, ticking), open_observability(app, ticking) as seen:
        assert seen.metrics is not None
        found = values(seen.metrics.text())
    assert {found[f"akili_anomalies_total{{'kind': '{kind}'}}"] for kind in AnomalyKind} == {0.0}


async def test_one_observer_that_breaks_does_not_blind_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from akili_cli.features.metrics.counting import Counting

    def broken(*_args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Counting, "observe", broken)
    on = {"observability.metrics.enabled": True, "observability.anomaly.enabled": True}
    async with node(tmp_path, **on) as (app, ticking), open_observability(app, ticking) as seen:
        (watch,) = seen.chores
        for _ in range(10):
            await app.pipeline.audit.append(DENIED)
        assert len(watch._found) == 1  # type: ignore[attr-defined] # its own
