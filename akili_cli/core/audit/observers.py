"""Telling whoever watches the log what has just become durable."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from akili_cli.core.audit.model import AuditEntry

Observer = Callable[[AuditEntry], None]
"""Is called in the loop with each entry of this process, in order, after it is durable; must be quick."""

_LOG = logging.getLogger(__name__)


def tell(observer: Observer | None, entries: Iterable[AuditEntry]) -> None:
    """Call the observer with each entry; one that breaks is logged, and what was recorded stays recorded."""
    if observer is None:
        return
    for entry in entries:
        try:
            observer(entry)
        except Exception:  # noqa: BLE001 - whatever watches must not undo what is on the disk
            _LOG.exception("an observer of the audit broke", extra={"entry": entry.id})
