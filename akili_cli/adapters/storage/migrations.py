"""Every table, as an append-only list of steps that both drivers render; opening a database applies them.

A column type is ``text``, ``bigint``, ``double`` or ``bytea``; a trailing ``?`` allows NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from akili_cli.domain.errors import StorageError

if TYPE_CHECKING:
    import sqlite_utils

MIGRATION_SET = "akili"
Columns = Mapping[str, str]

_PYTHON_TYPES: dict[str, type] = {"text": str, "bigint": int, "double": float, "bytea": bytes}
_POSTGRES_TYPES = {"text": "text", "bigint": "bigint", "double": "double precision", "bytea": "bytea"}


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
    """One change that is never edited once released: new tables, and new (nullable) columns of old ones."""

    name: str
    tables: tuple[Table, ...] = ()
    columns: Mapping[str, Columns] = field(default_factory=dict)


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
)


def table_names(steps: Sequence[Step] = STEPS) -> tuple[str, ...]:
    """Give the name of every table, in the order they came."""
    return tuple(table.name for step in steps for table in step.tables)


def columns_of(name: str, steps: Sequence[Step] = STEPS) -> Columns:
    """Give a table's columns with their types, later additions included; empty for an unknown table."""
    out: dict[str, str] = {}
    for step in steps:
        for table in step.tables:
            if table.name == name:
                out |= table.columns
        out |= step.columns.get(name, {})
    return out


def pending(steps: Sequence[Step], applied: Iterable[str]) -> tuple[Step, ...]:
    """Give the steps still to do; raises ``StorageError`` when the database knows one that we do not."""
    done = set(applied)
    unknown = sorted(done - {step.name for step in steps})
    if unknown:
        raise StorageError(
            f"the database was written by a newer akili (it has step {unknown[-1]!r})",
            hint="upgrade akili, or use another database",
        )
    return tuple(step for step in steps if step.name not in done)


def searchable(steps: Sequence[Step], name: str) -> Table:
    """Give a table that has a full-text index; raises ``StorageError`` for any other name."""
    for step in steps:
        for table in step.tables:
            if table.name == name and table.search:
                return table
    raise StorageError(f"the table {name!r} cannot be searched")


def sqlite_migrations(steps: Sequence[Step]) -> sqlite_utils.Migrations:
    """Render the steps for sqlite-utils, which applies and records them."""
    import sqlite_utils

    migrations = sqlite_utils.Migrations(MIGRATION_SET)
    for step in steps:

        def change(db: sqlite_utils.Database, step: Step = step) -> None:
            for table in step.tables:
                _create_sqlite(db.table(table.name), table)
            for name, columns in step.columns.items():
                for column, kind in columns.items():
                    db.table(name).add_column(column, _PYTHON_TYPES[kind.rstrip("?")])

        migrations(name=step.name)(change)
    return migrations


def _create_sqlite(target: sqlite_utils.db.Table, table: Table) -> None:
    target.create(
        {column: _PYTHON_TYPES[kind.rstrip("?")] for column, kind in table.columns.items()},
        pk=table.pk[0] if len(table.pk) == 1 else table.pk,
        not_null={column for column, kind in table.columns.items() if not kind.endswith("?")},
        strict=True,
    )
    for columns in table.unique:
        target.create_index(columns, unique=True)
    for columns in table.indexes:
        target.create_index(columns)
    if table.search:
        target.enable_fts(table.search, tokenize="porter", create_triggers=True)


def postgres_statements(step: Step) -> list[str]:
    """Render one step as the statements PostgreSQL runs, in order."""
    statements: list[str] = []
    for table in step.tables:
        parts = [f"{_quoted(name)} {_postgres_type(kind)}" for name, kind in table.columns.items()]
        if table.search:
            text = " || ' ' || ".join(f"coalesce({_quoted(name)}, '')" for name in table.search)
            parts.append(f"\"fts\" tsvector GENERATED ALWAYS AS (to_tsvector('english', left({text}, 250000))) STORED")
        parts.append(f"PRIMARY KEY ({_names(table.pk)})")
        parts += [f"UNIQUE ({_names(columns)})" for columns in table.unique]
        statements.append(f"CREATE TABLE {_quoted(table.name)} ({', '.join(parts)})")
        statements += [f"CREATE INDEX ON {_quoted(table.name)} ({_names(columns)})" for columns in table.indexes]
        if table.search:
            statements.append(f'CREATE INDEX ON {_quoted(table.name)} USING gin ("fts")')
    for name, columns in step.columns.items():
        statements += [
            f"ALTER TABLE {_quoted(name)} ADD COLUMN {_quoted(column)} {_postgres_type(kind)}"
            for column, kind in columns.items()
        ]
    return statements


def _postgres_type(kind: str) -> str:
    return _POSTGRES_TYPES[kind.rstrip("?")] + ("" if kind.endswith("?") else " NOT NULL")


def _quoted(name: str) -> str:
    return f'"{name}"'


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(map(_quoted, columns))
