"""Watches the records of this node, and says what is out of the ordinary: to the log, the audit and the channels."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field

from akili_cli.adapters.storage.base import Connection
from akili_cli.core.audit.log import AuditLog
from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result
from akili_cli.core.audit.waiting import Guard
from akili_cli.core.schedule.base import Notice, Notifier
from akili_cli.domain.calls import Source
from akili_cli.features.anomalies.logic import Rules
from akili_cli.features.anomalies.model import Anomaly
from akili_cli.features.anomalies.settings import AnomalySettings

MAX_FOUND = 100
_LOG = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class AnomalyWatch:
    """An observer of the audit and a ``core.schedule.base.Chore``: it looks at once, and speaks a moment later."""

    settings: AnomalySettings
    org: str
    audit: AuditLog
    notifier: Notifier
    name: str = "anomalies"
    every_s: float = 1.0
    _found: deque[Anomaly] = field(default_factory=lambda: deque(maxlen=MAX_FOUND))
    _rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        """Begin with empty windows."""
        self._rules = Rules(self.settings)

    def observe(self, entry: AuditEntry) -> None:
        """Look at one entry; what is found waits for the next round."""
        if entry.record.kind is not Kind.ANOMALY:
            self._found.extend(self._rules.look(entry))

    async def tick(self, now: float) -> None:
        """Say what was found since the last round: to the log, on record, and to the outbox if anybody is to be told.

        Record and message are one transaction. Raises ``AuditError``, and then goes on there in the next round.
        """
        while self._found:
            anomaly = self._found[0]
            _LOG.warning(
                "out of the ordinary: %s",
                anomaly.said,
                extra={"anomaly": str(anomaly.kind), "correlation_id": anomaly.correlation_id},
            )
            await self.audit.append(_record(anomaly, self.org), guard=self._queuing(anomaly, now))
            self._found.popleft()

    def _queuing(self, anomaly: Anomaly, now: float) -> Guard | None:
        """Give what puts the message into the outbox, in the transaction of the record."""
        if not self.settings.notify:
            return None
        notice = self._notice(anomaly)

        def queue(connection: Connection) -> None:
            self.notifier.queue(connection, self.org, notice, now)

        return queue

    def _notice(self, anomaly: Anomaly) -> Notice:
        return Notice(
            key=f"anomaly:{anomaly.kind}:{anomaly.entry}",
            channels=self.settings.notify,
            subject=f"akili: {str(anomaly.kind).replace('_', ' ')}",
            body=f"{anomaly.said}\naudit record: {anomaly.entry}",
            user=self.settings.notify_as,
            source=str(Source.ALERT),
            metadata={"type": "anomaly", "kind": str(anomaly.kind)},
        )


def _record(anomaly: Anomaly, org: str) -> AuditRecord:
    return AuditRecord(
        kind=Kind.ANOMALY,
        org=org,
        correlation_id=anomaly.correlation_id,
        tool=f"anomaly.{anomaly.kind}",
        parameters={"subject": anomaly.subject, "said": anomaly.said, "entry": anomaly.entry, **anomaly.numbers},
        result=Result.NOTICED,
    )
