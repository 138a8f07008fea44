"""Wires the HTTP gateway: what its routes work with, the edge before them, and the server under both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from akili_cli.adapters.net.listen import open_listener
from akili_cli.adapters.net.server import HttpServer
from akili_cli.bootstrap.alerts import open_checker
from akili_cli.bootstrap.app import App, open_journal
from akili_cli.bootstrap.heartbeats import open_heartbeats
from akili_cli.bootstrap.keys import open_keys
from akili_cli.bootstrap.observability import open_observability
from akili_cli.bootstrap.policy import admin_finder, permissions_finder, role_finder
from akili_cli.bootstrap.ticking import Ticking
from akili_cli.bootstrap.webhooks import open_webhooks
from akili_cli.core.agent.conversations import ConversationService
from akili_cli.core.audit.chain import load_or_create_key
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.audit.verifier import Verifier
from akili_cli.core.schedule.base import Chore, Fire, Job
from akili_cli.domain.clock import Clock
from akili_cli.features.keys.service import KeyService
from akili_cli.features.queries.service import QueryService
from akili_cli.gateways.http.app import create_app
from akili_cli.gateways.http.auth import Authenticator
from akili_cli.gateways.http.desk import Desk
from akili_cli.gateways.http.edge import Edge
from akili_cli.gateways.http.idempotency import Replays
from akili_cli.gateways.http.limits import Buckets
from akili_cli.gateways.http.settings import check_http
from akili_cli.gateways.http.static_keys import StaticKeys, open_static_keys

LAST_WORDS_S = 2.0
"""Seconds in which requests can be told that the gateway stops, however little time there was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A gateway that listens: ``url`` says where. ``server.run`` and the chores are for the supervisor."""

    url: str
    server: HttpServer
    chores: tuple[Chore, ...]
    warnings: tuple[str, ...]
    ticking: Ticking
    clock: Clock
    drain_s: float

    async def end(self) -> None:
        """Take no new requests, and let runs and requests in hand end in their time; what is left goes on elsewhere."""
        late = self.clock.monotonic() + self.drain_s
        self.ticking.live.begin_closing()
        self.server.stop_listening()
        await self.ticking.close()
        self.ticking.live.close_all()
        await self.server.end(grace_s=max(late - self.clock.monotonic(), LAST_WORDS_S))


@asynccontextmanager
async def open_http(app: App, ticking: Ticking, *, drain_s: float) -> AsyncIterator[Serving]:
    """Listen, as ``gateways.http`` says; raises ``ConfigError`` that names the fix, and then nothing listens."""
    settings = app.state.loaded.settings.gateways.http
    static, keys = _static_keys(app), open_keys(app.state, app.pipeline.audit)
    has_keys = bool(static.keys) or await keys.reader.has_live()
    warnings = check_http(settings, has_keys=has_keys)
    async with open_observability(app, ticking) as seen:
        behind = create_app(open_desk(app, ticking), seen.routers)
        edge = seen.wrapped(open_edge(app, behind, static, keys), behind.routes)
        with open_listener(settings.listen_addr) as listener:
            host, port = listener.getsockname()[:2]
            yield Serving(
                url=f"http://{_shown(str(host))}:{port}",
                server=HttpServer(edge, listener),
                chores=seen.chores,
                warnings=warnings,
                ticking=ticking,
                clock=app.state.clock,
                drain_s=drain_s,
            )


def open_edge(app: App, behind: ASGIApp, static: StaticKeys, keys: KeyService) -> Edge:
    """Put an application behind its guards."""
    state, settings = app.state, app.state.loaded.settings.gateways.http
    rate = settings.rate_limit
    return Edge(
        app=behind,
        authenticator=Authenticator(static=static, keys=keys, clock=state.clock, org=state.org),
        limits=Buckets(rate.requests_per_minute, rate.burst_size, state.clock),
        settings=settings,
        redactor=state.redactor,
        clock=state.clock,
    )


def open_verifier(app: App) -> Verifier:
    """Give what verifies the audit of the state's organisation."""
    workspace = app.state.workspace
    return Verifier(app.state.db, workspace.audit_dir, load_or_create_key(workspace.audit_key), app.state.org)


def _static_keys(app: App) -> StaticKeys:
    state = app.state
    mapping = state.loaded.settings.gateways.http.api_key_user_mapping
    return open_static_keys(mapping, state.start.env, resolve=state.secrets.resolve, register=state.redactor.register)


def open_desk(app: App, ticking: Ticking) -> Desk:
    """Give the routes what they may use."""
    state = app.state
    loaded, settings = state.loaded, state.loaded.settings.gateways.http
    is_admin = admin_finder(loaded)

    async def trigger(job: Job, kind: str, user: str) -> Fire:
        fire = await ticking.ticker.trigger(job, kind, user)
        ticking.ticker.start(fire)
        return fire

    return Desk(
        settings=settings,
        org=state.org,
        clock=state.clock,
        redactor=state.redactor,
        pipeline=app.pipeline,
        history=app.history,
        audit=AuditReader(state.db, state.org),
        verifier=open_verifier(app),
        conversations=ConversationService(db=state.db, org=state.org, audit=app.pipeline.audit),
        journal=open_journal(state),
        queries=QueryService(
            db=state.db,
            org=state.org,
            clock=state.clock,
            history=app.history,
            live=ticking.live,
            launch=ticking.ticker.launch,
            is_admin=is_admin,
            max_running=settings.max_concurrent_runs,
            redactor=state.redactor,
        ),
        live=ticking.live,
        cron=app.cron,
        alerts=app.alerts,
        channels=app.notifications.service,
        outbox=app.notifications.worker(app.pipeline),
        checker=open_checker(app),
        heartbeats=open_heartbeats(app),
        runbooks=app.runbooks,
        webhooks=open_webhooks(app),
        kinds=frozenset(ticking.kinds),
        trigger=trigger,
        replays=Replays(db=state.db, org=state.org, clock=state.clock, redactor=state.redactor),
        role_of=role_finder(loaded),
        permissions_of=permissions_finder(loaded),
        is_admin=is_admin,
    )


def _shown(host: str) -> str:
    if host in ("", "0.0.0.0", "::"):  # noqa: S104  # shown, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host
