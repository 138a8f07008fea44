"""Wires what watches a node: metrics and anomalies over the audit's records, readiness, the tracer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from akili_cli.bootstrap.app import App
from akili_cli.bootstrap.readiness import readiness_checks
from akili_cli.bootstrap.ticking import Ticking
from akili_cli.core.audit.model import AuditEntry
from akili_cli.core.audit.observers import Observer, tell
from akili_cli.core.schedule.base import Chore
from akili_cli.domain.clock import Clock
from akili_cli.domain.ports import NO_TRACER, Tracer
from akili_cli.features.anomalies.worker import AnomalyWatch
from akili_cli.features.health.model import Readiness
from akili_cli.features.health.service import HealthService
from akili_cli.features.metrics.counting import Counting

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from akili_cli.adapters.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Observability:
    """What a serving node shows of itself.

    ``routers`` are for ``create_app(desk, more=...)``, ``wrapped`` goes around everything that answers requests, and
    ``chores`` are for the supervisor. ``metrics`` is None while ``observability.metrics.enabled`` is false.
    """

    readiness: Callable[[], Awaitable[Readiness]]
    routers: tuple[APIRouter, ...]
    tracer: Tracer
    metrics: Metrics | None
    clock: Clock
    chores: tuple[Chore, ...] = ()

    def wrapped(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> ASGIApp:
        """Count, time and trace what comes in; ``routes`` are those of the application, for their templates."""
        from akili_cli.gateways.http.metrics import RequestMetrics
        from akili_cli.gateways.http.templates import Templates
        from akili_cli.gateways.http.tracing import RequestTracing

        templates = Templates(routes)
        if self.tracer is not NO_TRACER:
            app = RequestTracing(app, self.tracer, templates)
        return app if self.metrics is None else RequestMetrics(app, self.metrics, templates, self.clock)


@asynccontextmanager
async def open_observability(app: App, ticking: Ticking | None = None) -> AsyncIterator[Observability]:
    """Watch an open app, and what ticks in it if anything does, for the length of the block.

    Call it inside ``open_ticking``, before requests are served; the audit's one observer is its own meanwhile.
    """
    from akili_cli.gateways.http.routes.health import health_router
    from akili_cli.gateways.http.routes.metrics import metrics_router

    settings, state, audit = app.state.loaded.settings.observability, app.state, app.pipeline.audit
    health = HealthService(readiness_checks(app, ticking), state.redactor, state.clock)
    routers, observers = [health_router(health.readiness)], list[Observer]()
    metrics, watch = None, None
    if settings.metrics.enabled:
        metrics, text, observer = _counted(app, ticking)
        routers.append(metrics_router(settings.metrics.path, text))
        observers.append(observer)
    if settings.anomaly.enabled:
        watch = AnomalyWatch(
            settings=settings.anomaly,
            org=state.org,
            audit=audit,
            notifier=app.notifications.service,
        )
        observers.append(watch.observe)
    audit.observer = _all_of(observers)
    try:
        yield Observability(
            readiness=health.readiness,
            routers=tuple(routers),
            tracer=app.pipeline.tracer,
            metrics=metrics,
            clock=state.clock,
            chores=() if watch is None else (watch,),
        )
    finally:
        audit.observer = None
        if ticking is not None:
            ticking.ticker.watch = None


def _counted(app: App, ticking: Ticking | None) -> tuple[Metrics, Callable[[], Awaitable[bytes]], Observer]:
    """Begin to count; give the numbers, their page, and what counts records."""
    from akili_cli.adapters.telemetry.metrics import Metrics
    from akili_cli.bootstrap.gauges import Exposition

    metrics = Metrics()
    counting = Counting(metrics, frozenset(app.pipeline.tools.names()))
    counting.begin()
    if ticking is not None:
        ticking.ticker.watch = counting.ticked
    page = Exposition(app, metrics, ticking)
    page.begin()
    return metrics, page.text, counting.observe


def _all_of(observers: list[Observer]) -> Observer | None:
    def observe(entry: AuditEntry) -> None:
        for observer in observers:  # one that breaks does not keep the others from looking
            tell(observer, (entry,))

    return observe if observers else None
