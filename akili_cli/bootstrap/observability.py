"""Wires what watches a node: metrics and anomalies over the audit's records, readiness, the tracer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from akili_cli.bootstrap.app import App
from akili_cli.bootstrap.ticking import Ticking
from akili_cli.core.schedule.base import Chore
from akili_cli.domain.ports import NO_TRACER, Tracer
from akili_cli.features.health.model import Readiness
from akili_cli.features.health.service import HealthService

if TYPE_CHECKING:
    from akili_cli.adapters.telemetry.metrics import HttpMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Observability:
    """What a serving node shows of itself.

    ``readiness`` answers ``/readyz`` (``gateways.http.routes.health.health_router``). ``exposition`` gives the text of
    ``metrics_path`` (``gateways.http.routes.metrics.metrics_router``) and ``http`` counts requests
    (``gateways.http.metrics.RequestMetrics``); both are None while ``observability.metrics.enabled`` is false.
    ``tracer`` is for ``gateways.http.tracing.RequestTracing``. ``chores`` are for the supervisor.
    """

    readiness: Callable[[], Awaitable[Readiness]]
    tracer: Tracer = NO_TRACER
    metrics_path: str = "/metrics"
    exposition: Callable[[], Awaitable[bytes]] | None = None
    http: HttpMetrics | None = None
    chores: tuple[Chore, ...] = ()


@asynccontextmanager
async def open_observability(app: App, ticking: Ticking | None = None) -> AsyncIterator[Observability]:
    """Watch an open app, and what ticks in it if anything does, for the length of the block.

    Call it inside ``open_ticking``, before requests are served; the audit's one observer is its own meanwhile.
    Raises ``ConfigError`` for settings that cannot be kept.
    """
    del ticking
    yield Observability(readiness=HealthService(checks={}, redactor=app.state.redactor).readiness)
