"""Opens the application for a command, as the person at this terminal."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path

from akili_cli.adapters.storage.organizations import DEFAULT_ORGANIZATION
from akili_cli.adapters.telemetry.logs import configure_logging
from akili_cli.bootstrap.app import App, Start, State, open_app, open_state
from akili_cli.bootstrap.policy import build_rules
from akili_cli.cli import options, render
from akili_cli.cli.egress import redactor
from akili_cli.cli.remote import check_here
from akili_cli.config.lines import Loaded
from akili_cli.config.load import load_settings
from akili_cli.config.paths import home_of, open_workspace, protected_roots
from akili_cli.core.approvals.model import Asker
from akili_cli.core.audit.log import AuditLog, open_audit_log
from akili_cli.core.audit.shared_key import load_shared_key
from akili_cli.core.policy.engine import RuleSet
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.errors import WorkspaceError

_organization: ContextVar[str] = ContextVar("organization", default=DEFAULT_ORGANIZATION)


def principal(source: Source = Source.CLI) -> Principal:
    """Give whoever sits at this terminal: ``AKILI_CLI_USER``, or ``cli-user``, of the opened state's organisation."""
    return Principal(os.environ.get("AKILI_CLI_USER") or "cli-user", source, org=_organization.get())


def start(overrides: dict[str, object] | None = None) -> Start:
    """Collect what this process was started with; from here on, what libraries log is redacted.

    Raises ``UsageError`` when a gateway is chosen that this command would not ask.
    """
    check_here()
    configure_logging("warning", json=False, redactor=redactor)
    try:
        cwd = Path.cwd()
    except FileNotFoundError as error:
        raise WorkspaceError("the current directory no longer exists", hint="cd somewhere else") from error
    return Start(
        env=dict(os.environ),
        cwd=cwd,
        config_path=options.given.config,
        overrides=overrides or {},
        redactor=redactor,
    )


@asynccontextmanager
async def opened_state() -> AsyncIterator[State]:
    """Open the workspace for reading and bookkeeping; no tool can run."""
    async with open_state(start()) as state:
        _organization.set(state.org)
        _begin(state.loaded)
        yield state


@asynccontextmanager
async def opened_app(asker: Asker | None = None, overrides: dict[str, object] | None = None) -> AsyncIterator[App]:
    """Open everything that a call needs."""
    async with open_state(start(overrides)) as state:
        _organization.set(state.org)
        _begin(state.loaded)
        async with open_app(state, asker=asker) as app:
            tell_interrupted(app.pipeline.audit.interrupted)
            yield app


@asynccontextmanager
async def opened_log(state: State) -> AsyncIterator[AuditLog]:
    """Open the record alone, for a person's change to akili's own state; raises ``AuditError``."""
    key = await load_shared_key(state.db, state.org, state.workspace.audit_key)
    log = await open_audit_log(state.db, state.workspace.audit_dir, key, state.clock, state.redactor, state.org)
    tell_interrupted(log.interrupted)
    try:
        yield log
    finally:
        await log.close()


def loaded_settings() -> Loaded:
    """Load the configuration alone."""
    began = start()
    loaded = load_settings(
        began.env,
        config_path=began.config_path,
        overrides=began.overrides,
        cwd=began.cwd,
        workspace=open_workspace(began.env),
    )
    _configure_logging(loaded)
    return loaded


def checked_rules() -> tuple[Loaded, RuleSet]:
    """Load the configuration and compile its policy, without opening the database."""
    began, loaded = start(), loaded_settings()
    workspace, home = open_workspace(began.env), home_of(began.env)
    protected = protected_roots(workspace, home, loaded.own_places)
    return loaded, build_rules(loaded, cwd=began.cwd, home=home, protected=protected)


def rules_of(state: State) -> RuleSet:
    """Compile the policy of an open state."""
    protected = protected_roots(state.workspace, state.home, state.loaded.own_places)
    return build_rules(state.loaded, cwd=state.start.cwd, home=state.home, protected=protected)


def tell_interrupted(count: int) -> None:
    """Say, in the one process that found them, that calls were under way when an earlier one was killed."""
    if count:
        calls = f"{count} call{'' if count == 1 else 's'}"
        render.talk(
            f"warning: an earlier akili was killed with {calls} under way: what came of it is unknown", "yellow"
        )
        render.talk("nothing was repeated; see: akili audit tail --result interrupted")


def _begin(loaded: Loaded) -> None:
    _configure_logging(loaded)
    for warning in loaded.warnings:
        render.talk(f"warning: {warning}", "yellow")


def _configure_logging(loaded: Loaded) -> None:
    wanted = loaded.settings.logging
    configure_logging(wanted.level, json=wanted.as_json, redactor=redactor)
