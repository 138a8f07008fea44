"""Every table, as an append-only list of steps; opening a database applies those it has not seen.

A column type is ``text``, ``bigint``, ``double`` or ``bytea``; a trailing ``?`` allows NULL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

Columns = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """One table; ``search`` names the text columns of its full-text index."""

    name: str
    columns: Columns
    pk: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    search: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One change that is never edited once released.

    New tables, new (nullable) columns of old ones, and tables to drop whose rows can be made again from elsewhere.
    """

    name: str
    tables: tuple[Table, ...] = ()
    columns: Mapping[str, Columns] = field(default_factory=dict)
    drops: tuple[str, ...] = ()


STEPS: tuple[Step, ...] = (
    Step(
        "0001_conversations",
        (
            Table(
                "conversations",
                {
                    "id": "text",
                    "org_id": "text",
                    "user_id": "text",
                    "created_at": "double",
                    "updated_at": "double",
                    "title": "text",
                },
                pk=("id",),
                indexes=(("org_id", "user_id", "updated_at"),),
            ),
            Table(
                "conversation_messages",
                {
                    "conversation_id": "text",
                    "seq": "bigint",
                    "role": "text",
                    "content": "text",
                    "blocks": "text",
                    "token_estimate": "bigint",
                    "created_at": "double",
                },
                pk=("conversation_id", "seq"),
            ),
        ),
    ),
    Step(
        "0002_budgets",
        (
            Table(
                "budgets",
                {
                    "org_id": "text",
                    "user_id": "text",
                    "day": "text",
                    "limit_usd": "double",
                    "spent_usd": "double",
                },
                pk=("org_id", "user_id", "day"),
            ),
            Table(
                "budget_reservations",
                {
                    "id": "text",
                    "org_id": "text",
                    "user_id": "text",
                    "day": "text",
                    "run_id": "text",
                    "amount_usd": "double",
                    "spent_usd": "double?",
                    "created_at": "double",
                    "expires_at": "double",
                    "closed_at": "double?",
                },
                pk=("id",),
                indexes=(("org_id", "user_id", "day", "closed_at"),),
            ),
        ),
    ),
    Step(
        "0003_approvals",
        (
            Table(
                "approvals",
                {
                    "id": "text",
                    "org_id": "text",
                    "user_id": "text",
                    "source": "text",
                    "agent": "text?",
                    "run_id": "text",
                    "correlation_id": "text",
                    "conversation_id": "text?",
                    "call_id": "text",
                    "tool": "text",
                    "arguments": "text",
                    "digest": "text",
                    "action_risk": "text",
                    "effects": "text",
                    "rule_id": "text?",
                    "rule_origin": "text?",
                    "because": "text?",
                    "reason": "text?",
                    "untrusted": "text?",
                    "cwd": "text?",
                    "host": "text?",
                    "status": "text",
                    "created_at": "double",
                    "expires_at": "double",
                    "use_expires_at": "double?",
                    "resolved_at": "double?",
                    "resolved_by": "text?",
                    "feedback": "text?",
                    "consumed_at": "double?",
                    "outcome": "text?",
                },
                pk=("id",),
                indexes=(("org_id", "status", "created_at"),),
            ),
        ),
    ),
    Step(
        "0004_audit",
        (
            Table(
                "audit_events",
                {
                    "stream": "text",
                    "seq": "bigint",
                    "id": "text",
                    "org_id": "text",
                    "at": "double",
                    "kind": "text",
                    "correlation_id": "text?",
                    "run_id": "text?",
                    "conversation_id": "text?",
                    "user_id": "text?",
                    "source": "text?",
                    "tool": "text?",
                    "call_id": "text?",
                    "result": "text?",
                    "body": "text",
                    "prev_hash": "text",
                    "hash": "text",
                },
                pk=("stream", "seq"),
                unique=(("id",),),
                indexes=(("at",), ("correlation_id",), ("run_id",)),
            ),
            Table(
                "audit_streams",
                {
                    "stream": "text",
                    "started_at": "double",
                    "host": "text?",
                    "pid": "bigint?",
                    "count": "bigint",
                    "head_hash": "text?",
                    "mac": "text?",
                    "closed_at": "double?",
                },
                pk=("stream",),
            ),
        ),
    ),
    Step(
        "0005_runbook_index",
        (
            Table(
                "runbook_index",
                {"path": "text", "name": "text", "category": "text", "body": "text", "sha256": "text"},
                pk=("path",),
                search=("name", "category", "body"),
            ),
        ),
    ),
    Step("0006_meta", (Table("meta", {"key": "text", "value": "text"}, pk=("key",)),)),
    Step(
        "0007_grants_and_plans",
        (
            Table(
                "approval_votes",
                {"approval_id": "text", "user_id": "text", "at": "double"},
                pk=("approval_id", "user_id"),
            ),
            Table(
                "grants",
                {
                    "id": "text",
                    "org_id": "text",
                    "user_id": "text",
                    "scope": "text",
                    "tool": "text",
                    "risk": "bigint",
                    "digest": "text",
                    "session": "text",
                    "pattern": "text",
                    "approval_id": "text",
                    "created_by": "text",
                    "created_at": "double",
                    "expires_at": "double",
                    "revoked_at": "double?",
                    "uses": "bigint",
                },
                pk=("id",),
                indexes=(("org_id", "user_id", "tool"),),
            ),
            Table(
                "auto_approvals",
                {"org_id": "text", "user_id": "text", "hour": "bigint", "used": "bigint"},
                pk=("org_id", "user_id", "hour"),
            ),
            Table(
                "plans",
                {
                    "id": "text",
                    "org_id": "text",
                    "user_id": "text",
                    "run_id": "text",
                    "conversation_id": "text?",
                    "message": "text",
                    "hash": "text",
                    "status": "text",
                    "created_at": "double",
                    "expires_at": "double",
                    "resolved_by": "text?",
                    "resolved_at": "double?",
                },
                pk=("id",),
                indexes=(("org_id", "status", "created_at"),),
            ),
        ),
        {"approvals": {"inputs": "text?", "plan_id": "text?", "plan_index": "bigint?", "skill": "text?"}},
    ),
    Step(
        "0008_undo",
        (
            Table(
                "undo_entries",
                {
                    "id": "text",
                    "org_id": "text",
                    "user_id": "text",
                    "host": "text",
                    "tool": "text",
                    "run_id": "text",
                    "call_id": "text",
                    "audit_id": "text",
                    "path": "text",
                    "at": "double",
                    "before_digest": "text?",
                    "mode": "bigint",
                    "uid": "bigint",
                    "gid": "bigint",
                    "stored_bytes": "bigint",
                    "after_digest": "text?",
                    "finished_at": "double?",
                    "undone_at": "double?",
                    "undo_of": "text?",
                    "why_not": "text?",
                },
                pk=("id",),
                indexes=(("org_id", "user_id", "at"), ("host", "before_digest"), ("audit_id",)),
            ),
        ),
    ),
    Step(
        "0009_budget_tree",
        (
            Table(
                "budget_organisations",
                {"org_id": "text", "day": "text", "limit_usd": "double"},
                pk=("org_id", "day"),
            ),
            Table(
                "budget_runs",
                {
                    "org_id": "text",
                    "run_id": "text",
                    "parent_run_id": "text?",
                    "user_id": "text",
                    "day": "text",
                    "started_at": "double",
                    "limit_usd": "double?",
                    "max_tokens": "bigint?",
                    "spent_usd": "double",
                    "spent_tokens": "bigint",
                },
                pk=("org_id", "run_id"),
                indexes=(("org_id", "user_id", "day"),),
            ),
            Table(
                "budget_run_holds",
                {"org_id": "text", "run_id": "text", "reservation_id": "text"},
                pk=("org_id", "run_id", "reservation_id"),
                indexes=(("reservation_id",),),
            ),
        ),
        {"budgets": {"spent_tokens": "bigint?"}, "budget_reservations": {"tokens": "bigint?"}},
    ),
    Step(
        "0010_schedule",
        (
            Table(
                "nodes",
                {
                    "id": "text",
                    "host": "text",
                    "pid": "bigint",
                    "version": "text",
                    "started_at": "double",
                    "seen_at": "double",
                    "stopped_at": "double?",
                },
                pk=("id",),
                indexes=(("seen_at",),),
            ),
            Table(
                "fires",
                {
                    "id": "text",
                    "org_id": "text",
                    "kind": "text",
                    "job_id": "text",
                    "fire_at": "double",
                    "user_id": "text",
                    "payload": "text",
                    "status": "text",
                    "node_id": "text",
                    "attempt": "bigint",
                    "manual": "bigint",
                    "created_at": "double",
                    "started_at": "double?",
                    "finished_at": "double?",
                    "run_id": "text?",
                    "error": "text?",
                    "summary": "text?",
                    "cost_usd": "double?",
                    "details": "text?",
                },
                pk=("org_id", "id"),
                indexes=(("org_id", "kind", "job_id", "fire_at"), ("status", "node_id")),
            ),
        ),
    ),
    Step(
        "0011_notifications",
        (
            Table(
                "notification_channels",
                {
                    "org_id": "text",
                    "id": "text",
                    "name": "text",
                    "type": "text",
                    "config": "text",
                    "credential_ref": "text?",
                    "enabled": "bigint",
                    "user_id": "text",
                    "created_at": "double",
                    "updated_at": "double",
                    "free_at": "double",
                },
                pk=("org_id", "id"),
                unique=(("org_id", "name"),),
            ),
            Table(
                "notification_deliveries",
                {
                    "org_id": "text",
                    "id": "text",
                    "notice_key": "text",
                    "channel": "text",
                    "subject": "text",
                    "body": "text",
                    "metadata": "text",
                    "user_id": "text",
                    "source": "text",
                    "state": "text",
                    "reason": "text",
                    "tries": "bigint",
                    "max_tries": "bigint",
                    "parts_done": "bigint",
                    "parts_total": "bigint?",
                    "in_flight": "bigint?",
                    "due_at": "double",
                    "lease_until": "double?",
                    "approval_id": "text?",
                    "created_at": "double",
                    "finished_at": "double?",
                },
                pk=("org_id", "id"),
                unique=(("org_id", "notice_key", "channel"),),
                indexes=(("org_id", "state", "due_at"), ("org_id", "channel", "created_at"), ("org_id", "created_at")),
            ),
        ),
    ),
    Step(
        "0012_cron",
        (
            Table(
                "cron_jobs",
                {
                    "id": "text",
                    "org_id": "text",
                    "name": "text",
                    "description": "text",
                    "cron_expression": "text",
                    "goal": "text",
                    "user_id": "text",
                    "budget_limit_usd": "double?",
                    "enabled": "bigint",
                    "on_missed": "text",
                    "overlap": "text",
                    "notify": "text",
                    "next_run_at": "double",
                    "created_at": "double",
                    "updated_at": "double",
                    "last_run_at": "double?",
                    "last_run_id": "text",
                    "last_error": "text",
                    "failures": "bigint",
                },
                pk=("id",),
                unique=(("org_id", "name"),),
                indexes=(("org_id", "enabled", "next_run_at"),),
            ),
        ),
    ),
    Step(
        "0013_heartbeats",
        (
            Table(
                "heartbeat_files",
                {
                    "org_id": "text",
                    "path": "text",
                    "group_name": "text",
                    "sha256": "text",
                    "tasks": "bigint",
                    "problems": "text",
                },
                pk=("org_id", "path"),
            ),
            Table(
                "heartbeat_tasks",
                {
                    "id": "text",
                    "org_id": "text",
                    "group_name": "text",
                    "name": "text",
                    "description": "text",
                    "path": "text",
                    "line": "bigint",
                    "own_user": "text?",
                    "user_id": "text",
                    "cron_expression": "text",
                    "mode": "text",
                    "prompt": "text",
                    "budget_usd": "double",
                    "channels": "text",
                    "precheck": "text?",
                    "max_runs_per_day": "bigint?",
                    "enabled": "bigint",
                    "next_run_at": "double",
                    "created_at": "double",
                    "updated_at": "double",
                    "deleted_at": "double?",
                    "last_run_at": "double?",
                    "last_status": "text?",
                    "last_error": "text",
                    "last_summary": "text",
                    "last_run_id": "text",
                    "digest": "text",
                    "unchanged": "bigint",
                    "unchanged_at": "double?",
                    "day": "text",
                    "runs_today": "bigint",
                    "skipped_today": "bigint",
                },
                pk=("id",),
                unique=(("org_id", "group_name", "name"),),
                indexes=(("org_id", "enabled", "next_run_at"),),
            ),
            Table(
                "heartbeat_task_results",
                {
                    "org_id": "text",
                    "id": "text",
                    "task_id": "text",
                    "group_name": "text",
                    "name": "text",
                    "user_id": "text",
                    "status": "text",
                    "output": "text",
                    "summary": "text",
                    "error": "text",
                    "run_id": "text",
                    "correlation_id": "text",
                    "tokens": "bigint",
                    "cost_usd": "double?",
                    "duration_s": "double",
                    "ended_at": "double",
                    "notified_via": "text",
                    "notify_errors": "text",
                },
                pk=("org_id", "id"),
                indexes=(("org_id", "ended_at"), ("org_id", "task_id", "ended_at")),
            ),
        ),
    ),
    Step(
        "0014_alerts",
        (
            Table(
                "alert_rules",
                {
                    "id": "text",
                    "org_id": "text",
                    "user_id": "text",
                    "created_at": "double",
                    "name": "text",
                    "description": "text",
                    "target": "text",
                    "check_type": "text",
                    "check_config": "text",
                    "cron_expression": "text",
                    "channels": "text",
                    "enabled": "bigint",
                    "cooldown_seconds": "bigint",
                    "needed": "bigint",
                    "window_size": "bigint",
                    "next_run_at": "double",
                    "updated_at": "double",
                    "muted_until": "double?",
                    "last_status": "text",
                    "announced_status": "text",
                    "recent": "text",
                    "flapping": "bigint",
                    "last_checked_at": "double?",
                    "last_alerted_at": "double?",
                },
                pk=("id",),
                unique=(("org_id", "name"),),
                indexes=(("org_id", "enabled", "next_run_at"),),
            ),
            Table(
                "alert_history",
                {
                    "id": "text",
                    "org_id": "text",
                    "rule_id": "text",
                    "fire_id": "text",
                    "found": "text",
                    "status": "text",
                    "previous_status": "text",
                    "message": "text",
                    "announced": "text",
                    "notified_via": "text",
                    "deliveries": "text",
                    "check_duration_ms": "double",
                    "created_at": "double",
                },
                pk=("id",),
                indexes=(("org_id", "rule_id", "created_at"), ("org_id", "created_at")),
            ),
        ),
    ),
    Step(
        "0015_organizations",
        (
            Table(
                "organizations",
                {"id": "text", "name": "text", "slug": "text", "created_at": "double"},
                pk=("id",),
                unique=(("slug",),),
            ),
            Table(
                "runbook_texts",
                {
                    "org_id": "text",
                    "path": "text",
                    "name": "text",
                    "category": "text",
                    "body": "text",
                    "sha256": "text",
                },
                pk=("org_id", "path"),
                search=("name", "category", "body"),
            ),
        ),
        drops=("runbook_index",),
    ),
    Step(
        "0016_run_effects",
        (
            Table(
                "run_effects",
                {"org_id": "text", "run_id": "text", "call": "text", "begun_at": "double"},
                pk=("org_id", "run_id", "call"),
            ),
        ),
        {"approvals": {"waits": "bigint?"}},
    ),
    Step(
        "0017_queries",
        (
            Table(
                "queries",
                {
                    "org_id": "text",
                    "id": "text",
                    "user_id": "text",
                    "source": "text",
                    "correlation_id": "text",
                    "conversation_id": "text?",
                    "draft": "text",
                    "created_at": "double",
                    "stop_by": "text?",
                },
                pk=("org_id", "id"),
                indexes=(("org_id", "user_id", "created_at"), ("org_id", "conversation_id")),
            ),
        ),
        {"conversation_messages": {"run_id": "text?"}},
    ),
    Step(
        "0018_api_keys",
        (
            Table(
                "api_keys",
                {
                    "id": "text",
                    "org_id": "text",
                    "user_id": "text",
                    "role": "text",
                    "name": "text",
                    "salt": "text",
                    "hash": "text",
                    "created_at": "double",
                    "expires_at": "double?",
                    "revoked_at": "double?",
                    "last_used_at": "double?",
                },
                pk=("id",),
                indexes=(("org_id", "user_id", "created_at"),),
            ),
        ),
    ),
    Step(
        "0019_idempotency_keys",
        (
            Table(
                "idempotency_keys",
                {
                    "org_id": "text",
                    "user_id": "text",
                    "route": "text",
                    "idempotency_key": "text",
                    "asked": "text",
                    "created_at": "double",
                    "broken": "bigint",
                    "status": "bigint?",
                    "headers": "text?",
                    "body": "text?",
                },
                pk=("org_id", "user_id", "route", "idempotency_key"),
                indexes=(("org_id", "created_at"),),
            ),
        ),
    ),
    Step(
        "0020_webhook_marks",
        (
            Table(
                "webhook_marks",
                {
                    "org_id": "text",
                    "hook": "text",
                    "mark": "text",
                    "claim": "text",
                    "run_id": "text?",
                    "expires_at": "double",
                },
                pk=("org_id", "hook", "mark"),
            ),
        ),
    ),
    Step("0021_audit_keys", (), {"organizations": {"audit_key": "text?"}}),
)


def tables(steps: Sequence[Step] = STEPS) -> tuple[Table, ...]:
    """Give every table there is after all steps, in the order they came, with the columns that came later."""
    out: dict[str, Table] = {}
    for step in steps:
        out |= {table.name: table for table in step.tables}
        for name, columns in step.columns.items():
            out[name] = replace(out[name], columns={**out[name].columns, **columns})
        for name in step.drops:
            del out[name]
    return tuple(out.values())


def table_names(steps: Sequence[Step] = STEPS) -> tuple[str, ...]:
    """Give the name of every table, in the order they came."""
    return tuple(table.name for table in tables(steps))


def columns_of(name: str, steps: Sequence[Step] = STEPS) -> Columns:
    """Give a table's columns with their types, later additions included; empty for an unknown table."""
    return next((table.columns for table in tables(steps) if table.name == name), {})
