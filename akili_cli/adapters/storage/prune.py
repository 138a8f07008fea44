"""Deletes what is long over: one hand-written table says what that means for each kind of row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.storage.portable import value_lists
from akili_cli.adapters.storage.schema import tables
from akili_cli.domain.clock import iso

BATCH_ROWS = 300


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of a table that may go: ``over`` is SQL that is true of them.

    ``:before`` is a time (epoch seconds), ``:day`` the same as ``2026-02-17``, ``:rulings`` the time for people's
    rulings. Rows of ``parts`` (table and column with the row's ``id``) go with it. Only rows of the organisation are
    looked at, unless the table belongs to none.
    """

    table: str
    over: str
    parts: tuple[tuple[str, str], ...] = ()
    of_an_organisation: bool = True


RULES: tuple[Rule, ...] = (
    Rule("conversations", "updated_at < :before", (("conversation_messages", "conversation_id"),)),
    Rule(
        "approvals",
        "status NOT IN ('pending', 'approved') AND coalesce(consumed_at, resolved_at, expires_at) < :rulings",
        (("approval_votes", "approval_id"),),
    ),
    Rule("plans", "coalesce(resolved_at, expires_at) < :before"),
    Rule("api_keys", "coalesce(revoked_at, expires_at) < :before"),
    Rule("grants", "coalesce(revoked_at, expires_at) < :before"),
    Rule("auto_approvals", "(hour + 1) * 3600 < :before"),
    Rule(
        "budget_reservations",
        "coalesce(closed_at, expires_at) < :before",
        (("budget_run_holds", "reservation_id"),),
    ),
    Rule(
        "budget_runs",
        "started_at < :before AND NOT EXISTS (SELECT 1 FROM budget_run_holds AS h"
        " WHERE h.org_id = budget_runs.org_id AND h.run_id = budget_runs.run_id)",
    ),
    Rule("budgets", "day < :day"),
    Rule("budget_organisations", "day < :day"),
    Rule("undo_entries", "why_not IS NOT NULL AND at < :before"),
    Rule(
        "queries",
        "created_at < :before AND NOT EXISTS (SELECT 1 FROM fires AS f WHERE f.org_id = queries.org_id"
        " AND f.id = 'query:' || queries.id || ':once' AND f.finished_at IS NULL)",
    ),
    Rule("idempotency_keys", "created_at < :before"),
    Rule("webhook_marks", "expires_at < :before"),
    Rule("fires", "finished_at < :before"),
    Rule(
        "run_effects",
        "begun_at < :before AND NOT EXISTS (SELECT 1 FROM fires AS f WHERE f.org_id = run_effects.org_id"
        " AND f.run_id = run_effects.run_id AND f.finished_at IS NULL)",
    ),
    Rule("notification_deliveries", "finished_at < :before"),
    Rule("alert_history", "created_at < :before"),
    Rule("heartbeat_task_results", "ended_at < :before"),
    Rule("heartbeat_tasks", "deleted_at < :before"),
    Rule(
        "nodes",
        "coalesce(stopped_at, seen_at) < :before AND NOT EXISTS (SELECT 1 FROM fires AS f"
        " WHERE f.node_id = nodes.id AND f.finished_at IS NULL)",
        of_an_organisation=False,
    ),
)
"""In this order. A new table of things that end gets a line here, any other one in ``KEPT``."""

KEPT: dict[str, str] = {
    "audit_events": "the record is never shortened",
    "audit_streams": "the record is never shortened",
    "alert_rules": "what somebody set up",
    "cron_jobs": "what somebody set up",
    "heartbeat_files": "as many rows as files",
    "meta": "a few rows",
    "organizations": "a few rows",
    "runbook_texts": "as many rows as files",
    "notification_channels": "what somebody set up",
}
"""Tables that are not pruned, and why."""


async def prune(db: Database, org: str, *, before: float, rulings: float, dry_run: bool) -> dict[str, int]:
    """Delete an organisation's rows that were over before a time; give how many went (or would go) by table.

    Approvals are kept back to ``rulings``, if that is earlier. A page at a time, each in a transaction of its own: a
    run that is cut short is finished by the next.
    """
    params = {"org": org, "before": before, "day": iso(before)[:10], "rulings": min(before, rulings)}
    gone: dict[str, int] = {}
    for rule in RULES:
        if dry_run:
            gone[rule.table] = await db.read(partial(_count, rule=rule, params=params))
            continue
        gone[rule.table] = 0
        while deleted := await db.write(partial(_delete, rule=rule, params=params)):
            gone[rule.table] += deleted
    return gone


def _count(connection: Connection, *, rule: Rule, params: dict[str, object]) -> int:
    sql = f"SELECT count(*) AS n FROM {rule.table} WHERE {_condition(rule)}"  # noqa: S608 - our own names
    return int(str(connection.execute(sql, params)[0]["n"]))


def _delete(connection: Connection, *, rule: Rule, params: dict[str, object]) -> int:
    """Steps: 1 choose a page and keep others from changing it meanwhile, 2 its parts, 3 itself."""
    key = next(table.pk for table in tables() if table.name == rule.table)
    chosen = connection.execute(
        f"SELECT {', '.join(key)} FROM {rule.table} WHERE {_condition(rule)} LIMIT :limit {{skip}}",  # noqa: S608 - our own names
        {**params, "limit": BATCH_ROWS},
    )
    if not chosen:
        return 0
    for table, column in rule.parts:
        lists, ids = value_lists(("id",), chosen)
        connection.execute(f"DELETE FROM {table} WHERE ({column}) IN (VALUES {lists})", ids)  # noqa: S608 - our own names
    lists, keys = value_lists(key, chosen)
    return connection.changed(f"DELETE FROM {rule.table} WHERE ({', '.join(key)}) IN (VALUES {lists})", keys)  # noqa: S608 - our own names


def _condition(rule: Rule) -> str:
    return f"org_id = :org AND ({rule.over})" if rule.of_an_organisation else f"({rule.over})"
