"""Renders the schema's steps for both drivers, and tells which of them are still to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from akili_cli.adapters.storage.schema import Step, Table, tables
from akili_cli.domain.errors import StorageError

if TYPE_CHECKING:
    import sqlite_utils

MIGRATION_SET = "akili"

_PYTHON_TYPES: dict[str, type] = {"text": str, "bigint": int, "double": float, "bytea": bytes}
_POSTGRES_TYPES = {"text": "text", "bigint": "bigint", "double": "double precision", "bytea": "bytea"}


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
    for table in tables(steps):
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
            for name in step.drops:
                dropped = db.table(name)
                if dropped.detect_fts():
                    dropped.disable_fts()
                dropped.drop()

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
    return statements + [f"DROP TABLE {_quoted(name)}" for name in step.drops]


def _postgres_type(kind: str) -> str:
    return _POSTGRES_TYPES[kind.rstrip("?")] + ("" if kind.endswith("?") else " NOT NULL")


def _quoted(name: str) -> str:
    return f'"{name}"'


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(map(_quoted, columns))
