from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Say


def test_a_select_is_answered_with_its_parameters(akili: Say) -> None:
    assert akili("db", "query", "SELECT :a AS a, 2 AS b", "-p", "a=x", "--json").json == [{"a": "x", "b": 2}]
    assert akili("db", "query", "SELECT 1 AS a").out == "A\n1\n" or "1" in akili("db", "query", "SELECT 1 AS a").out
    assert akili("db", "query", "SELECT 1 AS a WHERE 0").err == "no rows\n"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM approvals",
        "INSERT INTO meta (key, value) VALUES ('a', 'b')",
        "UPDATE approvals SET status = 'approved'",
        "DROP TABLE audit_events",
        "CREATE TABLE x (a)",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 5",
        "VACUUM INTO '/tmp/akili-copy.db'",
        "SELECT 1; DELETE FROM approvals",
        "nonsense",
        "",
    ],
)
def test_nothing_can_be_written_through_a_query(akili: Say, sql: str) -> None:
    akili("db", "query", "INSERT INTO meta (key, value) VALUES ('a', 'b')")
    said = akili("db", "query", sql)
    assert said.out == "" or "journal_mode" in said.out or said.code == 1
    assert "Traceback" not in said.err
    assert akili("db", "query", "SELECT count(*) AS n FROM meta WHERE key = 'a'", "--json").json == [{"n": 0}]
    assert akili("audit", "verify").code == 0
    assert not Path("/tmp/akili-copy.db").exists()


def test_tables_and_columns_are_listed(akili: Say) -> None:
    tables = {row["table"] for row in akili("db", "tables", "--json").json}
    assert {"approvals", "audit_events", "conversations"} <= tables
    columns = {row["column"] for row in akili("db", "schema", "approvals", "--json").json}
    assert {"id", "digest", "status"} <= columns


def test_a_table_is_exported_to_a_new_private_file_only(akili: Say, tmp_path: Path) -> None:
    akili("runbooks", "run", "service-health-check")
    target = tmp_path / "out.csv"
    assert akili("db", "export", "audit_events", "-o", str(target)).code == 0
    assert target.stat().st_mode & 0o777 == 0o600
    assert len(list(csv.DictReader(io.StringIO(target.read_text())))) > 3
    again = akili("db", "export", "audit_events", "-o", str(target))
    assert again.code == 64
    assert akili("db", "export", "meta", "--format", "json").code == 0
    assert akili("db", "export", "meta", "--format", "xml").code == 64


@pytest.mark.parametrize("words", ["disk", "", '"', "a AND", "NEAR(", "*", "x" * 5000, "\u65e5\u672c", "col:x"])
def test_any_words_can_be_searched_for(akili: Say, words: str) -> None:
    assert akili("db", "search", words, "--json").code == 0


def test_migrate_says_what_was_done(akili: Say) -> None:
    assert "applied" in akili("db", "migrate").out
    assert "nothing to do" in akili("db", "migrate").out
