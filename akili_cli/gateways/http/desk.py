"""Everything the routes may use: services that rule on who may do what, and the one pipeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.agent.conversations import ConversationService
from akili_cli.core.agent.history import History
from akili_cli.core.audit.reader import AuditReader
from akili_cli.core.audit.verifier import Verifier
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.core.schedule.base import Fire, Job
from akili_cli.core.undo.journal import Journal
from akili_cli.domain.calls import Principal
from akili_cli.domain.clock import Clock
from akili_cli.features.alerts.checking import Checker
from akili_cli.features.alerts.service import AlertService
from akili_cli.features.cron.service import CronService
from akili_cli.features.heartbeats.service import HeartbeatService
from akili_cli.features.notifications.service import NotificationService
from akili_cli.features.notifications.worker import OutboxWorker
from akili_cli.features.queries.live import LiveRuns
from akili_cli.features.queries.service import QueryService
from akili_cli.features.runbooks.service import RunbookService
from akili_cli.features.webhooks.service import WebhookService
from akili_cli.gateways.http.idempotency import Replays
from akili_cli.gateways.http.settings import HttpSettings

Trigger = Callable[[Job, str, str], Awaitable[Fire]]
"""Runs a job of a kind now, on this node, as a user; raises ``ConflictError`` when it may not overlap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What one gateway serves with. ``kinds`` are the rooms that tick here; ``outbox`` and ``checker`` make tests."""

    settings: HttpSettings
    org: str
    clock: Clock
    redactor: Redactor
    pipeline: Pipeline
    history: History | None
    audit: AuditReader
    verifier: Verifier
    conversations: ConversationService
    journal: Journal
    queries: QueryService
    live: LiveRuns
    cron: CronService
    alerts: AlertService
    channels: NotificationService
    outbox: OutboxWorker
    checker: Checker
    heartbeats: HeartbeatService
    runbooks: RunbookService
    webhooks: WebhookService
    kinds: frozenset[str]
    trigger: Trigger
    replays: Replays
    role_of: Callable[[Principal], str | None]
    permissions_of: Callable[[Principal], frozenset[str]]
    is_admin: Callable[[Principal], bool]


def desk_of(request: Request) -> Desk:
    """Give what the routes of this application work with."""
    return cast("Desk", request.app.state.desk)
