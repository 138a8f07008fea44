"""Opens a workspace and wires one process: the only place that chooses concrete classes."""

from __future__ import annotations

import platform
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from akili_cli.adapters.llm.open import DEFAULT_CONTEXT_TOKENS, OpenedModels, open_models
from akili_cli.adapters.llm.providers.builtin import BuiltinModel
from akili_cli.adapters.secrets.chain import SecretChain
from akili_cli.adapters.secrets.taint import parts_of
from akili_cli.adapters.storage.base import Database
from akili_cli.adapters.storage.organizations import DEFAULT_ORGANIZATION, open_organization
from akili_cli.adapters.storage.settings import StorageSettings
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.bootstrap.knowledge import RunbookKnowledge
from akili_cli.bootstrap.notifications import Notifications, open_notifications
from akili_cli.bootstrap.policy import (
    admin_finder,
    build_rules,
    permissions_finder,
    power_finder,
    role_finder,
    tool_roots,
)
from akili_cli.bootstrap.secrets import open_secrets
from akili_cli.bootstrap.tools import RoomParts, build_tools
from akili_cli.bootstrap.tracing import open_tracer
from akili_cli.config.lines import Loaded
from akili_cli.config.load import load_settings
from akili_cli.config.paths import Workspace, home_of, open_workspace, protected_roots
from akili_cli.core.agent.history import History
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.approvals.approvers import Approvers
from akili_cli.core.approvals.model import Asker
from akili_cli.core.approvals.queue import ApprovalQueue
from akili_cli.core.approvals.request import Place, no_layers
from akili_cli.core.audit.log import AuditLog, open_audit_log
from akili_cli.core.audit.shared_key import load_shared_key
from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.execution.cache import ResultCache
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import Layer, Sandbox
from akili_cli.core.sandbox.watched import WatchedSandbox
from akili_cli.core.schedule.base import Notifier
from akili_cli.core.undo.journal import Journal
from akili_cli.domain.clock import Clock, SystemClock
from akili_cli.domain.messages import Model
from akili_cli.domain.ports import NoKnowledge
from akili_cli.features.alerts.service import AlertService
from akili_cli.features.cron.service import CronService
from akili_cli.features.runbooks.service import RunbookService

DEFAULT_MAX_TOKENS = 4096
DEFAULT_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Start:
    """What a process was started with."""

    env: Mapping[str, str]
    cwd: Path
    config_path: str | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)
    redactor: Redactor = field(default_factory=Redactor)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """An open workspace: enough to read and to keep books, not enough to run anything."""

    start: Start
    workspace: Workspace
    home: Path
    loaded: Loaded
    db: Database
    clock: Clock
    redactor: Redactor
    secrets: SecretChain
    org: str


@dataclass(slots=True, kw_only=True)
class App:
    """Everything one process needs to take a message or a call."""

    state: State
    pipeline: Pipeline
    approvals: ApprovalQueue
    sandbox: Sandbox
    history: History | None
    runbooks: RunbookService
    notifications: Notifications
    cron: CronService
    alerts: AlertService
    protected: tuple[str, ...]
    notices: list[str] = field(default_factory=list)
    _opened: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def loop(self, *, runbook: str | None = None, inputs: Mapping[str, object] | None = None) -> AgentLoop:
        """Give the agent loop; with ``runbook`` it plays exactly that one and asks no model.

        Raises ``ConfigError`` for a provider that cannot be used and ``NotFoundError`` for a runbook.
        """
        settings = self.state.loaded.settings
        limits: OpenedModels | None = None
        if runbook is not None:
            model: Model = BuiltinModel(self.runbooks.pinned(runbook, inputs or {}))
        else:
            builtin = BuiltinModel(self.runbooks.choose)
            opened = open_models(
                settings.providers,
                env=self.state.start.env,
                builtin=builtin,
                resolve=self.state.secrets.resolve,
                register_secret=self.state.redactor.register,
                clock=self.state.clock,
            )
            model, limits = opened.model, opened
            self.notices.extend(opened.warnings)
            if model is builtin:
                self.notices.append("no model is configured: the built-in runbooks answer")
        self._opened.push_async_callback(model.close)
        uses_model = not isinstance(model, BuiltinModel)
        return AgentLoop(
            model=model,
            pipeline=self.pipeline,
            history=self.history if runbook is None else None,
            knowledge=RunbookKnowledge(self.runbooks, settings.runbooks, self.pipeline)
            if uses_model
            else NoKnowledge(),
            settings=settings.agent,
            context_tokens=limits.context_tokens if limits else DEFAULT_CONTEXT_TOKENS,
            max_tokens=limits.max_tokens if limits else DEFAULT_MAX_TOKENS,
            timeout_s=limits.timeout_s if limits else DEFAULT_TIMEOUT_S,
        )


@asynccontextmanager
async def open_state(start: Start) -> AsyncIterator[State]:
    """Open workspace, configuration and database; raises ``WorkspaceError``, ``ConfigError``, ``StorageError``."""
    workspace = open_workspace(start.env)
    home = home_of(start.env)
    loaded = load_settings(
        start.env,
        config_path=start.config_path,
        overrides=start.overrides,
        cwd=start.cwd,
        workspace=workspace,
    )
    redactor = start.redactor
    secrets = open_secrets(loaded.settings, start.env, workspace, redactor)
    storage = loaded.settings.storage
    clock = SystemClock()
    db = await _open_database(storage, workspace, secrets, redactor)
    try:
        name = storage.postgres.default_org_name if storage.driver == "postgres" else DEFAULT_ORGANIZATION
        org = await open_organization(db, name, clock.now())
        yield State(
            start=start,
            workspace=workspace,
            home=home,
            loaded=loaded,
            db=db,
            clock=clock,
            redactor=redactor,
            secrets=secrets,
            org=org,
        )
    finally:
        await db.close()


async def _open_database(
    storage: StorageSettings,
    workspace: Workspace,
    secrets: SecretChain,
    redactor: Redactor,
) -> Database:
    if storage.driver == "postgres":
        from akili_cli.adapters.storage.backends.postgres import open_postgres

        limits = storage.postgres
        dsn = database_dsn(storage, secrets)
        for part in parts_of(dsn):
            redactor.register(part, "database dsn")
        return await open_postgres(
            dsn,
            max_open=limits.max_open_conns,
            max_idle=limits.max_idle_conns,
            lifetime_s=limits.conn_max_lifetime_s,
        )
    from akili_cli.adapters.storage.backends.sqlite import open_sqlite

    return await open_sqlite(Path(storage.sqlite.path) if storage.sqlite.path else workspace.db)


def database_dsn(storage: StorageSettings, secrets: SecretChain) -> str:
    """Give where PostgreSQL is: as written, or what the reference leads to."""
    dsn = storage.postgres.dsn or ""
    return dsn if dsn.startswith(("postgres://", "postgresql://")) else secrets.resolve(dsn)


def open_ledger(state: State) -> Ledger:
    """Give the books of the state's organisation."""
    return Ledger(state.db, state.org, state.loaded.settings.budget, state.clock)


def open_approvals(
    state: State,
    *,
    protected: tuple[str, ...] = (),
    asker: Asker | None = None,
    layers: Callable[[], tuple[Layer, ...]] = no_layers,
) -> ApprovalQueue:
    """Give the approvals of the state's organisation; permits they give carry ``protected``."""
    return ApprovalQueue(
        state.db,
        Approvers(state.loaded.settings.approval, power_finder(state.loaded)),
        state.clock,
        org=state.org,
        place=Place(platform.node(), str(state.start.cwd), layers),
        protected=protected,
        redactor=state.redactor,
        asker=asker,
    )


def open_journal(state: State) -> Journal:
    """Give the before-images of this machine's files."""
    settings = state.loaded.settings.undo
    return Journal(state.db, state.workspace.undo_dir, settings, state.clock, org=state.org, host=platform.node())


def open_cron(state: State, audit: AuditLog, notifier: Notifier) -> CronService:
    """Give the cron jobs of the state's organisation."""
    return CronService(
        db=state.db,
        org=state.org,
        clock=state.clock,
        audit=audit,
        notifier=notifier,
        window_s=state.loaded.settings.scheduler.missed_job_window_seconds,
        permissions_of=permissions_finder(state.loaded),
        is_admin=admin_finder(state.loaded),
    )


def open_alerts(state: State, audit: AuditLog, notifier: Notifier) -> AlertService:
    """Give the alert rules of the state's organisation."""
    return AlertService(
        db=state.db,
        org=state.org,
        settings=state.loaded.settings.alerting,
        clock=state.clock,
        audit=audit,
        notifier=notifier,
        permissions_of=permissions_finder(state.loaded),
        is_admin=admin_finder(state.loaded),
    )


def open_runbooks(state: State) -> RunbookService:
    """Give the runbooks: the workspace's own first, then configured directories, then those that ship."""
    from akili_cli.features.runbooks.shipped import shipped_runbooks_dir

    configured = [state.start.cwd / directory for directory in state.loaded.settings.runbooks.directories]
    return RunbookService(state.db, (state.workspace.runbooks_dir, *configured, shipped_runbooks_dir()), org=state.org)


def open_sandbox(state: State) -> Sandbox:
    """Give the sandbox of the settings; scratch directories lie outside the workspace, which no command may see."""
    settings, scratch = state.loaded.settings.sandbox, Path(tempfile.gettempdir())
    if settings.type == "docker":
        from akili_cli.core.sandbox.backends.docker import DockerSandbox

        return DockerSandbox(settings, scratch, state.clock, state.start.env)
    if sys.platform == "darwin":
        from akili_cli.core.sandbox.backends.seatbelt import SeatbeltSandbox

        return SeatbeltSandbox(settings, scratch, state.clock)
    private = state.loaded.settings.tools.web.allowed_private_hosts
    return ProcessSandbox(settings, scratch, state.clock, private_hosts=private)


@asynccontextmanager
async def open_app(state: State, *, asker: Asker | None = None) -> AsyncIterator[App]:
    """Wire the pipeline over an open state; raises ``ConfigError`` and ``AuditError``."""
    settings = state.loaded.settings
    protected = protected_roots(state.workspace, state.home, state.loaded.own_places)
    rules = build_rules(state.loaded, cwd=state.start.cwd, home=state.home, protected=protected)
    async with AsyncExitStack() as stack:
        tracer = open_tracer(settings.observability.tracing, state.redactor, stack)
        sandbox = WatchedSandbox(open_sandbox(state), settings.sandbox.type, tracer, state.clock)
        stack.push_async_callback(sandbox.close)
        key = await load_shared_key(state.db, state.org, state.workspace.audit_key)
        audit = await open_audit_log(state.db, state.workspace.audit_dir, key, state.clock, state.redactor, state.org)
        audit.tracer = tracer
        stack.push_async_callback(audit.close)
        approvals = open_approvals(state, protected=protected, asker=asker, layers=sandbox.layers)
        notifications = open_notifications(
            state.loaded,
            db=state.db,
            org=state.org,
            secrets=state.secrets,
            redactor=state.redactor,
            clock=state.clock,
            audit=audit,
        )
        cron = open_cron(state, audit, notifications.service)
        alerts = open_alerts(state, audit, notifications.service)
        pipeline = Pipeline(
            tools=build_tools(
                settings,
                tool_roots(state.loaded, cwd=state.start.cwd, home=state.home),
                sandbox,
                open_journal(state),
                rooms=RoomParts(jobs=cron, rules=alerts, outbox=notifications.service, carrier=notifications.courier),
                clock=state.clock,
                home=str(state.home),
                cwd=str(state.start.cwd),
            ),
            rules=rules,
            role_of=role_finder(state.loaded),
            approvals=approvals,
            cache=ResultCache(state.clock),
            ledger=open_ledger(state),
            audit=audit,
            redactor=state.redactor,
            clock=state.clock,
            tracer=tracer,
        )
        history = History(state.db, state.org, state.clock, settings.memory) if settings.memory.enabled else None
        yield App(
            state=state,
            pipeline=pipeline,
            approvals=approvals,
            sandbox=sandbox,
            history=history,
            runbooks=open_runbooks(state),
            notifications=notifications,
            cron=cron,
            alerts=alerts,
            protected=protected,
            _opened=stack,
        )
