"""Entries of the audit made by hand, for what looks at them."""

from __future__ import annotations

from akili_cli.core.audit.model import AuditEntry, AuditRecord, Kind, Result


def entry_of(kind: Kind, result: Result, *, at: float = 1_000_000.0, **said: object) -> AuditEntry:
    record = AuditRecord(kind=kind, result=result, **{"user": "ann", **said})  # type: ignore[arg-type] # by name
    return AuditEntry(f"s-{at}", "s", 1, at, "", "", record)
