"""``akili db migrate``: bring the database up to date, or copy everything into another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from akili_cli.cli import render

if TYPE_CHECKING:
    from akili_cli.bootstrap.moving import Moved

SAY_EVERY_S = 2.0
MAX_PROBLEMS = 5


async def migrate_here(*, as_json: bool) -> None:
    """Apply what is missing and say what was applied."""
    from akili_cli.adapters.storage.schema import STEPS
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        applied = state.db.migrated
    if as_json:
        render.out_json({"applied": list(applied), "steps": len(STEPS)})
        return
    did = f"applied {', '.join(applied)}" if applied else "nothing to do"
    render.out(f"{did}; the database is at step {len(STEPS)} of {len(STEPS)}")


async def migrate_to(to: str, *, dry_run: bool, as_json: bool) -> int:
    """Copy everything into another database; 1 when the audit does not verify there."""
    from akili_cli.bootstrap.moving import move, parse_target
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        target = parse_target(state, to)
        began = state.clock.monotonic()
        moved = await move(state, target, dry_run=dry_run, progress=_progress(state.clock.monotonic))
        took_s = state.clock.monotonic() - began
    if as_json:
        render.out_json(_as_dict(moved, took_s, dry_run=dry_run))
    else:
        _show(moved, took_s, dry_run=dry_run)
    return 0 if moved.audit is None or moved.audit.ok else 1


def _progress(monotonic: Callable[[], float]) -> Callable[[str, str, int, int], None]:
    said_at = monotonic()

    def say(table: str, doing: str, done: int, rows: int) -> None:
        nonlocal said_at
        if monotonic() - said_at >= SAY_EVERY_S:
            said_at = monotonic()
            render.talk(f"{doing} {table}: {done} of {rows} rows")

    return say


def _as_dict(moved: Moved, took_s: float, *, dry_run: bool) -> dict[str, object]:
    audit = moved.audit
    return {
        "dry_run": dry_run,
        "target": moved.target.shown,
        "driver": moved.target.driver,
        "missing_steps": list(moved.missing),
        "tables": [asdict(table) for table in moved.tables],
        **{
            name: sum(getattr(table, name) for table in moved.tables) for name in ("rows", "copied", "present", "extra")
        },
        "seconds": round(took_s, 3),
        "audit": None
        if audit is None
        else {
            "ok": audit.ok,
            "records": audit.records,
            "streams": audit.streams,
            "problems": [asdict(problem) for problem in audit.problems],
        },
        "switch": list(moved.target.lines) if not dry_run else [],
    }


def _show(moved: Moved, took_s: float, *, dry_run: bool) -> None:
    header = ("TABLE", "ROWS", "COPIED", "THERE BEFORE", "ONLY THERE", "DIGEST")
    render.out_table(
        header,
        [
            (t.name, t.rows, t.copied, t.present, t.extra, t.digest[:16] or "-")
            for t in moved.tables
            if t.rows or t.extra
        ],
    )
    rows, copied = sum(t.rows for t in moved.tables), sum(t.copied for t in moved.tables)
    if dry_run:
        new = rows - sum(t.present for t in moved.tables)
        schema = f"; {len(moved.missing)} schema steps would be applied there" if moved.missing else ""
        render.out(f"{new} of {rows} rows would be copied to {moved.target.shown}{schema}; nothing was changed")
        return
    render.out(f"{copied} of {rows} rows copied to {moved.target.shown} in {took_s:.1f} s; every row was read back")
    audit = moved.audit
    if audit is not None and not audit.ok:
        render.talk(f"the audit does NOT verify there: {len(audit.problems)} problems", "red")
        for problem in audit.problems[:MAX_PROBLEMS]:
            render.talk(f"  {problem.stream}: {problem.what}")
        render.talk("is it whole here? see: akili audit verify")
        return
    if audit is not None:
        render.out(f"the audit verifies there: {audit.records} records in {audit.streams} streams")
    render.out("nothing was changed here; to use the copy, write this to the configuration:")
    for line in moved.target.lines:
        render.out(f"  {line}")
