"""Builds what keeps, tells and sends notifications."""

from __future__ import annotations

from dataclasses import dataclass

from akili_cli.adapters.secrets.chain import SecretChain
from akili_cli.adapters.storage.base import Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.bootstrap.policy import admin_finder, permissions_finder
from akili_cli.config.lines import Loaded
from akili_cli.core.audit.log import AuditLog
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.domain.clock import Clock
from akili_cli.features.notifications.channels.base import Surroundings
from akili_cli.features.notifications.courier import Courier
from akili_cli.features.notifications.service import NotificationService
from akili_cli.features.notifications.worker import OutboxWorker


@dataclass(frozen=True, slots=True)
class Notifications:
    """The room of one process: ``service`` keeps channels and queues messages, ``courier`` sends them."""

    service: NotificationService
    courier: Courier
    approval_s: float

    def worker(self, pipeline: Pipeline) -> OutboxWorker:
        """Give the chore that delivers what is queued."""
        return OutboxWorker(courier=self.courier, pipeline=pipeline, approval_s=self.approval_s)


def open_notifications(
    loaded: Loaded,
    *,
    db: Database,
    org: str,
    secrets: SecretChain,
    redactor: Redactor,
    clock: Clock,
    audit: AuditLog,
) -> Notifications:
    """Wire the room for one organisation."""
    settings = loaded.settings
    web = settings.tools.web
    service = NotificationService(
        db=db,
        org=org,
        settings=settings.notification,
        secrets=secrets,
        redactor=redactor,
        clock=clock,
        audit=audit,
        permissions_of=permissions_finder(loaded),
        is_admin=admin_finder(loaded),
    )
    courier = Courier(
        db=db,
        org=org,
        around=Surroundings(settings.notification, web.allowed_private_hosts, web.allowed_domains, web.allowed_ports),
        secrets=secrets,
        redactor=redactor,
        clock=clock,
    )
    approval = settings.approval
    return Notifications(service, courier, float(approval.ttl_seconds + approval.use_ttl_seconds))
