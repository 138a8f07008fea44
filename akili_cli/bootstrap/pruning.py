"""Deletes what is long over, with a record of who did it; a person's command and a regular chore call the same."""

from __future__ import annotations

from dataclasses import replace

from akili_cli.adapters.storage.prune import prune
from akili_cli.bootstrap.app import State
from akili_cli.core.audit.log import AuditLog
from akili_cli.core.audit.model import AuditRecord, Kind, Result
from akili_cli.domain.calls import Principal

HOUR_S = 3600.0


async def prune_state(state: State, audit: AuditLog | None, by: Principal, *, age_s: float) -> dict[str, int]:
    """Delete what was over ``age_s`` seconds ago; give the number of rows by table. Without an audit only count.

    Rulings that smart auto-approval still counts are kept. Recorded before and after; raises ``AuditError`` when it
    cannot be recorded, and then nothing is deleted.
    """
    now, auto = state.clock.now(), state.loaded.settings.approval.auto_approval
    before = now - age_s
    rulings = now - auto.window_hours * HOUR_S if auto.enabled else before
    if audit is None:
        return await prune(state.db, state.org, before=before, rulings=rulings, dry_run=True)
    record = AuditRecord(
        kind=Kind.STATE,
        result=Result.STARTED,
        org=state.org,
        user=by.user,
        source=str(by.source),
        tool="db.prune",
        parameters={"prune_before": before},
    )
    await audit.append(record)
    gone = await prune(state.db, state.org, before=before, rulings=rulings, dry_run=False)
    deleted = {table: count for table, count in gone.items() if count}
    await audit.append(replace(record, result=Result.CHANGED, parameters={**record.parameters, "deleted": deleted}))
    return gone
