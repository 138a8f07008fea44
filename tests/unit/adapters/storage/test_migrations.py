from __future__ import annotations

import pytest
import sqlite_utils

from akili_cli.adapters.storage.migrations import pending, postgres_statements, searchable, sqlite_migrations
from akili_cli.adapters.storage.schema import STEPS, Step, Table
from akili_cli.domain.errors import StorageError

EXAMPLE = Step(
    "0001_example",
    (
        Table(
            "t",
            {"a": "text", "b": "bigint?", "c": "double", "d": "bytea?"},
            pk=("a", "b"),
            unique=(("c",),),
            indexes=(("b", "c"),),
            search=("a",),
        ),
    ),
    {"old": {"note": "text?"}},
)


def test_pending_gives_what_is_not_done_in_order() -> None:
    assert pending(STEPS, []) == STEPS
    assert pending(STEPS, [STEPS[0].name]) == STEPS[1:]
    assert pending(STEPS, [step.name for step in STEPS]) == ()


def test_an_unknown_step_means_a_newer_akili() -> None:
    with pytest.raises(StorageError, match="newer akili"):
        pending(STEPS, ["7777_future"])


def test_only_a_table_with_an_index_is_searchable() -> None:
    assert searchable(STEPS, "runbook_texts").search == ("name", "category", "body")
    with pytest.raises(StorageError, match="cannot be searched"):
        searchable(STEPS, "meta")


def test_postgres_statements_say_types_keys_and_indexes() -> None:
    create, index, fts, alter = postgres_statements(EXAMPLE)
    assert create.startswith('CREATE TABLE "t" ("a" text NOT NULL, "b" bigint, "c" double precision NOT NULL')
    assert 'PRIMARY KEY ("a", "b"), UNIQUE ("c")' in create
    assert "tsvector GENERATED ALWAYS" in create
    assert index == 'CREATE INDEX ON "t" ("b", "c")'
    assert fts == 'CREATE INDEX ON "t" USING gin ("fts")'
    assert alter == 'ALTER TABLE "old" ADD COLUMN "note" text'


def test_sqlite_migrations_build_the_same_tables() -> None:
    db = sqlite_utils.Database(memory=True)
    db.table("old").insert({"id": 1})
    sqlite_migrations([EXAMPLE]).apply(db)
    assert db.table("t").pks == ["a", "b"]
    assert db.table("t").strict
    assert db.table("t").detect_fts() == "t_fts"
    assert "note" in db.table("old").columns_dict
    db.close()
