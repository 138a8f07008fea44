"""What a node must be able to do before it is given work."""

from __future__ import annotations

import asyncio

from akili_cli.adapters.storage.base import Connection
from akili_cli.bootstrap.app import App
from akili_cli.bootstrap.ticking import Ticking
from akili_cli.core.schedule import store
from akili_cli.core.schedule.ticker import PING_S
from akili_cli.domain.errors import SandboxError, StorageError
from akili_cli.features.health.model import Check

STALE_TICK_S = 3 * PING_S


def readiness_checks(app: App, ticking: Ticking | None) -> dict[str, Check]:
    """Give the checks that ``observability.health`` leaves in; those of the ticker and its engine where one ticks."""
    health = app.state.loaded.settings.observability.health
    checks: dict[str, Check] = {"audit": lambda: _audit(app)}
    if health.include_db:
        checks["database"] = lambda: _database(app, "" if ticking is None else ticking.node)
    if health.include_sandbox:
        checks["sandbox"] = lambda: _sandbox(app)
    if ticking is not None:
        checks["engine"] = lambda: _engine(ticking)
        checks["ticker"] = lambda: _ticker(app, ticking)
    return dict(sorted(checks.items()))


async def _audit(app: App) -> None:
    app.pipeline.audit.check()


async def _database(app: App, node: str) -> None:
    def work(connection: Connection) -> None:
        store.touch(connection, node)

    await app.state.db.read(lambda connection: connection.execute("SELECT 1 AS one"))
    await app.state.db.write(work)


async def _sandbox(app: App) -> None:
    """Raise when a layer is missing without which nothing runs; the docker sandbox is nothing without its engine."""
    settings = app.state.loaded.settings.sandbox
    layers = await asyncio.to_thread(app.sandbox.layers)
    missing = [layer.name for layer in layers if layer.name in settings.require and not layer.active]
    if missing:
        raise SandboxError(f"missing: {', '.join(missing)}")
    if settings.type == "docker" and not any(layer.active for layer in layers):
        raise SandboxError("the docker engine cannot be used")


async def _engine(ticking: Ticking) -> None:
    await ticking.engine.get("readiness")


async def _ticker(app: App, ticking: Ticking) -> None:
    at = ticking.ticker.ticked_at
    if at is None:
        raise StorageError("it has not ticked yet")
    age = app.state.clock.monotonic() - at
    if age > STALE_TICK_S:
        raise StorageError(f"the last tick was {age:.0f} s ago")
