from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.bootstrap.app import App
from akili_cli.bootstrap.readiness import STALE_TICK_S, readiness_checks
from akili_cli.bootstrap.ticking import Ticking
from akili_cli.core.sandbox.base import Layer
from akili_cli.features.health.service import HealthService
from tests.fakes.clock import FakeClock
from tests.fakes.node import Gone, node


async def found(app: App, ticking: Ticking | None) -> dict[str, str]:
    health = HealthService(readiness_checks(app, ticking), Redactor(), app.state.clock)
    return {name: check.message or check.status for name, check in (await health.readiness()).checks.items()}


async def test_a_node_that_ticks_can_do_everything(tmp_path: Path) -> None:
    async with node(tmp_path) as (app, ticking):
        await ticking.ticker.tick()
        assert await found(app, ticking) == dict.fromkeys(("audit", "database", "engine", "sandbox", "ticker"), "ok")


async def test_settings_leave_checks_out_and_what_does_not_tick_has_no_ticker(tmp_path: Path) -> None:
    off = {"observability.health.include_db": False, "observability.health.include_sandbox": False}
    async with node(tmp_path, **off) as (app, _):
        assert set(readiness_checks(app, None)) == {"audit"}


async def test_a_database_that_is_gone_is_seen(tmp_path: Path) -> None:
    async with node(tmp_path) as (app, ticking):
        app.state = replace(app.state, db=Gone())  # type: ignore[arg-type] # its two verbs are enough
        assert (await found(app, ticking))["database"] == "the database is gone"


async def test_an_audit_file_that_is_gone_is_seen(tmp_path: Path) -> None:
    async with node(tmp_path) as (app, ticking):
        (app.state.workspace.audit_dir / f"{app.pipeline.audit.stream}.jsonl").unlink()
        assert "was removed while it was in use" in (await found(app, ticking))["audit"]


async def test_a_ticker_that_never_ticked_or_stands_still_is_seen(tmp_path: Path) -> None:
    async with node(tmp_path) as (app, ticking):
        assert (await found(app, ticking))["ticker"] == "it has not ticked yet"
        clock = FakeClock()
        app.state = replace(app.state, clock=clock)
        ticking.ticker.ticked_at = clock.monotonic()
        clock.move(STALE_TICK_S)
        assert (await found(app, ticking))["ticker"] == "ok"
        clock.move(1)
        assert (await found(app, ticking))["ticker"] == f"the last tick was {STALE_TICK_S + 1:.0f} s ago"


@pytest.mark.parametrize(
    ("overrides", "layers", "message"),
    [
        ({"sandbox.require": ["files"]}, (Layer("files", False, "no kernel"),), "missing: files"),
        ({"sandbox.require": ["files"]}, (Layer("files", True, ""), Layer("syscalls", False, "")), "ok"),
        ({}, (Layer("files", False, ""),), "ok"),
        (
            {"sandbox.type": "docker", "sandbox.docker.image": "alpine"},
            (Layer("container", False, "no engine"),),
            "the docker engine cannot be used",
        ),
    ],
    ids=["required", "present", "not required", "docker"],
)
async def test_the_sandbox_is_asked_for_the_layers_that_are_required(
    tmp_path: Path, overrides: dict[str, object], layers: tuple[Layer, ...], message: str
) -> None:
    async with node(tmp_path, **overrides) as (app, ticking):
        app.sandbox = _Layers(layers)  # type: ignore[assignment] # its one verb is enough
        assert (await found(app, ticking))["sandbox"] == message


class _Layers:
    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self._layers = layers

    def layers(self) -> tuple[Layer, ...]:
        return self._layers
