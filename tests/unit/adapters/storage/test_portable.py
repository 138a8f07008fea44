from __future__ import annotations

import time

import pytest

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.portable import (
    MAX_SEARCH_WORDS,
    UnitOfWork,
    bind,
    postgres_sql,
    search_words,
    sqlite_sql,
    value_lists,
)
from akili_cli.domain.errors import ConflictError, StorageError


@pytest.mark.parametrize(
    ("portable", "rewritten"),
    [
        ("SELECT :a", "SELECT %(a)s"),
        ("SELECT :a, :a_b2", "SELECT %(a)s, %(a_b2)s"),
        ("SELECT (:a)", "SELECT (%(a)s)"),
        ("SELECT x::text", "SELECT x::text"),
        ("SELECT :a::text", "SELECT %(a)s::text"),
        ("SELECT ':a'", "SELECT ':a'"),
        ("SELECT 'it''s :a', :b", "SELECT 'it''s :a', %(b)s"),
        ("SELECT '\\', :b", "SELECT '\\', %(b)s"),
        (r"SELECT E'\' :a', :b", r"SELECT E'\' :a', %(b)s"),
        ('SELECT ":a"', 'SELECT ":a"'),
        ("SELECT 1 -- :a\n, :b", "SELECT 1 -- :a\n, %(b)s"),
        ("SELECT 1 /* :a\n:b */, :c", "SELECT 1 /* :a\n:b */, %(c)s"),
        ("SELECT $$:a$$, $t$ :b $t$, :c", "SELECT $$:a$$, $t$ :b $t$, %(c)s"),
        ("SELECT 5 % 2", "SELECT 5 %% 2"),
        ("SELECT '%', \"%\" -- %", "SELECT '%%', \"%%\" -- %%"),
        ("SELECT '%(a)s'", "SELECT '%%(a)s'"),
        ("SELECT 1 {skip}", "SELECT 1 FOR UPDATE SKIP LOCKED"),
        ("SELECT '{skip}'", "SELECT '{skip}'"),
        ("SELECT 1;", "SELECT 1;"),
        ("SELECT 1; -- end", "SELECT 1; -- end"),
    ],
)
def test_postgres_form(portable: str, rewritten: str) -> None:
    assert postgres_sql(portable) == rewritten


def test_sqlite_form_changes_only_skip() -> None:
    sql = "SELECT :a, x, '%{skip}' FROM t WHERE b = 5 % 2 {skip}"
    assert sqlite_sql(sql) == "SELECT :a, x, '%{skip}' FROM t WHERE b = 5 % 2 "


@pytest.mark.parametrize("rewrite", [sqlite_sql, postgres_sql])
@pytest.mark.parametrize(
    "sql",
    ["COMMIT", " begin", ";;ROLLBACK", "-- a\nEND", "/* a */ /* b */ savepoint x", "ABORT", "PREPARE TRANSACTION 'x'"],
)
def test_transaction_words_are_refused(rewrite: object, sql: str) -> None:
    with pytest.raises(StorageError, match="owns the transaction"):
        rewrite(sql)  # type: ignore[operator] # one of the two functions


@pytest.mark.parametrize("rewrite", [sqlite_sql, postgres_sql])
@pytest.mark.parametrize("sql", ["SELECT 1; COMMIT", "SELECT ';'; -- x\n DELETE FROM t", "SELECT 1;;/* */;x"])
def test_a_second_statement_is_refused(rewrite: object, sql: str) -> None:
    with pytest.raises(StorageError, match="one statement"):
        rewrite(sql)  # type: ignore[operator] # one of the two functions


def test_a_word_that_only_begins_like_a_transaction_word_is_fine() -> None:
    assert sqlite_sql("ENDURE") == "ENDURE"


@pytest.mark.parametrize("sql", ["'" * 20_001, "/*" * 20_000, "$a" * 20_000, ";" * 20_000, "-- " * 20_000])
def test_odd_texts_are_rewritten_quickly(sql: str) -> None:
    began = time.monotonic()
    postgres_sql(f"SELECT 1 {sql}"[:20_000])
    assert time.monotonic() - began < 2


def test_plain_values_pass() -> None:
    params = {"a": None, "b": "x", "c": 1, "d": 1.5, "e": b"\0", "f": float("inf")}
    assert bind(params) == params
    assert bind(None) == {}


def test_booleans_become_numbers() -> None:
    assert type(bind({"a": True})["a"]) is int


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, float("nan"), object(), [1], {"a": 1}, bytearray(b"x")])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(StorageError, match="'a' cannot be stored"):
        bind({"a": value})


def test_rows_are_written_as_lists_of_values() -> None:
    rows: list[Row] = [{"a": 1, "b": "x", "c": 0}, {"a": 2, "b": None, "c": 0}]
    assert value_lists(("a", "b"), rows) == (
        "(:r0c0, :r0c1), (:r1c0, :r1c1)",
        {"r0c0": 1, "r0c1": "x", "r1c0": 2, "r1c1": None},
    )


def test_search_words_are_plain_and_distinct() -> None:
    assert search_words('Disk, "disk" AND (FULL) disk_usage*') == ("disk", "full", "usage")


def test_search_words_are_limited() -> None:
    assert len(search_words(" ".join(f"w{n}" for n in range(500)))) == MAX_SEARCH_WORDS
    assert search_words("the of and 🔥 \0 --") == ()


def unit(rows: list[Row], error: Exception | None = None) -> UnitOfWork:
    def run(_sql: str, _params: dict[str, object]) -> tuple[list[Row], int]:
        if error is not None:
            raise error
        return rows, len(rows)

    return UnitOfWork(run, "group_concat(line)")


def test_a_unit_of_work_gives_rows_and_counts() -> None:
    def work(connection: Connection) -> tuple[list[Row], int]:
        return connection.execute("SELECT 1"), connection.changed("SELECT 1")

    assert unit([{"a": 1}]).call(work) == ([{"a": 1}], 1)


def test_a_swallowed_failure_is_raised_at_the_end() -> None:
    def swallow(connection: Connection) -> None:
        with pytest.raises(ConflictError):
            connection.execute("SELECT 1")
        with pytest.raises(StorageError, match="cannot go on"):
            connection.execute("SELECT 1")

    with pytest.raises(ConflictError):
        unit([], ConflictError("taken")).call(swallow)


def test_a_unit_of_work_is_over_after_its_function() -> None:
    kept: list[Connection] = []
    unit([]).call(kept.append)
    with pytest.raises(StorageError, match="after its function"):
        kept[0].execute("SELECT 1")


def test_stop_iteration_becomes_an_error_a_future_can_carry() -> None:
    with pytest.raises(RuntimeError):
        unit([]).call(lambda _connection: next(iter(())))
