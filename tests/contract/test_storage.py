from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.domain.errors import ConflictError, StorageError
from tests.contract.places import AnyDatabase, OpenDatabase, Place
from tests.contract.processes import run_together

INSERT = "INSERT INTO meta (key, value) VALUES (:key, :value)"


def put(key: str, value: str = "v") -> Callable[[Connection], list[Row]]:
    return lambda connection: connection.execute(INSERT, {"key": key, "value": value})


async def keys(db: AnyDatabase) -> list[object]:
    rows = await db.read(lambda c: c.execute("SELECT key FROM meta ORDER BY key"))
    return [row["key"] for row in rows]


async def test_what_is_written_can_be_read(db: AnyDatabase) -> None:
    await db.write(put("a", "b"))
    assert await db.read(lambda c: c.execute("SELECT key, value FROM meta")) == [{"key": "a", "value": "b"}]


async def test_the_dialect_is_named(db: AnyDatabase, place: Place) -> None:
    assert db.dialect == place.driver


async def test_what_is_written_is_there_after_closing_and_opening(open_database: OpenDatabase) -> None:
    first = await open_database()
    await first.write(put("a"), durable=True)
    await first.close()
    assert await keys(await open_database()) == ["a"]


async def test_a_function_gives_its_value(db: AnyDatabase) -> None:
    returning = "INSERT INTO meta (key, value) VALUES ('a', 'b') RETURNING value"
    assert await db.write(lambda c: c.execute(returning)[0]["value"]) == "b"


async def test_changed_counts_rows(db: AnyDatabase) -> None:
    await db.write(put("a"))
    await db.write(put("b"))
    assert await db.write(lambda c: c.changed("UPDATE meta SET value = 'x'")) == 2
    assert await db.write(lambda c: c.changed("UPDATE meta SET value = 'x' WHERE key = 'none'")) == 0
    again = "INSERT INTO meta (key, value) VALUES ('a', 'y') ON CONFLICT (key) DO NOTHING"
    assert await db.write(lambda c: c.changed(again)) == 0


async def test_every_storable_value_comes_back(db: AnyDatabase) -> None:
    class Colour(enum.StrEnum):
        RED = "red"

    class Level(enum.IntEnum):
        HIGH = 3

    sql = (
        "INSERT INTO audit_streams (stream, started_at, host, pid, count, head_hash)"
        " VALUES (:stream, :started_at, :host, :pid, :count, :head) RETURNING *"
    )
    params = {
        "stream": Colour.RED,
        "started_at": 1771329045.123456,
        "host": None,
        "pid": Level.HIGH,
        "count": True,
        "head": "a' \" : % {skip} \\ \n 日本 🔥",
    }
    row = (await db.write(lambda c: c.execute(sql, params)))[0]
    assert row["stream"] == "red"
    assert row["started_at"] == 1771329045.123456
    assert row["host"] is None
    assert row["pid"] == 3
    assert row["count"] == 1
    assert row["head_hash"] == params["head"]


async def test_a_sum_of_whole_numbers_is_a_plain_number(db: AnyDatabase) -> None:
    insert = "INSERT INTO audit_streams (stream, started_at, count) VALUES (:s, 0, 2)"
    await db.write(lambda c: c.execute(insert, {"s": "a"}))
    await db.write(lambda c: c.execute(insert, {"s": "b"}))
    total = (await db.read(lambda c: c.execute("SELECT sum(count) AS n FROM audit_streams")))[0]["n"]
    assert total == 4
    assert isinstance(total, int | float)


@pytest.mark.parametrize("hostile", ["a\0b", "half \ud800 pair", "\0"], ids=["nul", "surrogate", "only nul"])
async def test_text_no_database_can_hold_is_stored_with_a_replacement(db: AnyDatabase, hostile: str) -> None:
    await db.write(put("k", hostile))
    value = (await db.read(lambda c: c.execute("SELECT value FROM meta")))[0]["value"]
    assert value == hostile.replace("\0", "\ufffd").replace("\ud800", "\ufffd")


@pytest.mark.parametrize("value", [2**63, float("nan"), object(), ["list"]], ids=["too big", "nan", "object", "list"])
async def test_a_value_no_column_can_hold_is_refused(db: AnyDatabase, value: object) -> None:
    with pytest.raises(StorageError, match="cannot be stored"):
        await db.write(lambda c: c.execute(INSERT, {"key": "k", "value": value}))


async def test_colons_percents_and_comments_survive_the_rewriting(db: AnyDatabase) -> None:
    sql = "SELECT ':no %(x)s 100%' AS a, 7 % 4 AS b, CAST(:x AS text) AS c -- :not a parameter\n /* :nor */"
    assert await db.read(lambda c: c.execute(sql, {"x": "v"})) == [{"a": ":no %(x)s 100%", "b": 3, "c": "v"}]


async def test_a_taken_key_is_a_conflict(db: AnyDatabase) -> None:
    await db.write(put("a"))
    with pytest.raises(ConflictError):
        await db.write(put("a"))


async def test_a_failing_function_rolls_back_alone(db: AnyDatabase) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(INSERT, {"key": "lost", "value": "v"})
        raise LookupError("mine")

    results = await asyncio.gather(db.write(put("a")), db.write(fail), db.write(put("b")), return_exceptions=True)
    assert isinstance(results[1], LookupError)
    assert await keys(db) == ["a", "b"]


async def test_a_swallowed_failure_still_undoes_the_whole_function(db: AnyDatabase) -> None:
    await db.write(put("a"))

    def swallow(connection: Connection) -> str:
        connection.execute(INSERT, {"key": "lost", "value": "v"})
        try:
            connection.execute(INSERT, {"key": "a", "value": "v"})
        except ConflictError:
            return "fine"
        return "odd"

    with pytest.raises(ConflictError):
        await db.write(swallow)
    assert await keys(db) == ["a"]


async def test_nothing_more_can_be_done_after_a_failed_statement(db: AnyDatabase) -> None:
    seen: list[str] = []

    def go_on(connection: Connection) -> None:
        try:
            connection.execute("SELECT no_such_column FROM meta")
        except StorageError:
            with pytest.raises(StorageError, match="cannot go on"):
                connection.execute("SELECT 1")
            seen.append("refused")

    with pytest.raises(StorageError):
        await db.write(go_on)
    assert seen == ["refused"]


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), StopIteration(1), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
async def test_no_exception_ends_the_writer(db: AnyDatabase, error: BaseException) -> None:
    def fail(_connection: Connection) -> None:
        raise error

    async def caught() -> bool:
        try:
            await db.write(fail)
        except BaseException:
            return True
        return False

    if isinstance(error, SystemExit | KeyboardInterrupt):  # these would end this test's own loop
        assert await asyncio.to_thread(lambda: _raises(db, fail))
    else:
        assert await caught()
    await db.write(put("still"))
    assert await keys(db) == ["still"]


def _raises(db: AnyDatabase, fn: Callable[[Connection], None]) -> bool:
    try:
        asyncio.run(db.write(fn))
    except (SystemExit, KeyboardInterrupt):
        return True
    return False


@pytest.mark.parametrize(
    "sql",
    ["COMMIT", "rollback", " ;; /* x */ BEGIN", "-- x\nSAVEPOINT a", "END", "RELEASE a", "START TRANSACTION"],
)
async def test_a_function_cannot_end_its_transaction(db: AnyDatabase, sql: str) -> None:
    def escape(connection: Connection) -> None:
        connection.execute(INSERT, {"key": "a", "value": "v"})
        connection.execute(sql)

    with pytest.raises(StorageError, match="owns the transaction"):
        await db.write(escape)
    assert await keys(db) == []


@pytest.mark.parametrize(
    "sql",
    ["SELEC 1", "SELECT * FROM nowhere", "", "SELECT :missing", "SELECT 1; SELECT 2", "SELECT '"],
    ids=["typo", "no table", "empty", "no value", "two statements", "open string"],
)
async def test_bad_sql_is_a_storage_error(db: AnyDatabase, sql: str) -> None:
    if sql == "":
        assert await db.write(lambda c: c.execute(sql)) == []
        return
    with pytest.raises(StorageError):
        await db.write(lambda c: c.execute(sql))
    await db.write(put("still"))


async def test_a_text_is_refused_where_a_number_belongs(db: AnyDatabase) -> None:
    sql = "INSERT INTO audit_streams (stream, started_at, count) VALUES ('s', 0, :count)"
    with pytest.raises(StorageError):
        await db.write(lambda c: c.execute(sql, {"count": "many"}))


async def test_a_reader_cannot_write(db: AnyDatabase) -> None:
    with pytest.raises(StorageError):
        await db.read(put("a"))
    assert await keys(db) == []


async def test_a_reader_sees_one_moment(db: AnyDatabase) -> None:
    loop = asyncio.get_running_loop()

    def count_twice(connection: Connection) -> tuple[object, object]:
        first = connection.execute("SELECT count(*) AS n FROM meta")[0]["n"]
        asyncio.run_coroutine_threadsafe(db.write(put("meanwhile")), loop).result(10)
        return first, connection.execute("SELECT count(*) AS n FROM meta")[0]["n"]

    assert await db.read(count_twice) == (0, 0)
    assert await keys(db) == ["meanwhile"]


async def test_a_connection_is_dead_after_its_function(db: AnyDatabase) -> None:
    kept: list[Connection] = []
    await db.write(kept.append)
    await db.read(kept.append)
    for connection in kept:
        with pytest.raises(StorageError, match="after its function"):
            connection.execute("SELECT 1")


async def test_many_callers_at_once_lose_nothing(db: AnyDatabase) -> None:
    await asyncio.gather(*(db.write(put(f"{n:03}"), durable=n % 3 == 0) for n in range(200)))
    assert len(await keys(db)) == 200


async def test_a_cancelled_caller_leaves_the_writer_working(db: AnyDatabase) -> None:
    loop = asyncio.get_running_loop()
    started = asyncio.Event()

    def slow(connection: Connection) -> None:
        connection.execute(INSERT, {"key": "slow", "value": "v"})
        loop.call_soon_threadsafe(started.set)
        time.sleep(0.1)

    task = asyncio.create_task(db.write(slow))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.write(put("next"))
    while len(await keys(db)) < 2:  # on PostgreSQL the cancelled write goes on beside the next one
        await asyncio.sleep(0.01)


async def test_a_closed_database_refuses_at_once(db: AnyDatabase) -> None:
    await db.close()
    await db.close()
    with pytest.raises(StorageError, match="closed"):
        await db.write(put("a"))
    with pytest.raises(StorageError, match="closed"):
        await db.read(lambda c: c.execute("SELECT 1"))


async def test_closing_finishes_what_is_queued(open_database: OpenDatabase) -> None:
    first = await open_database()
    writes = [asyncio.ensure_future(first.write(put(f"{n:02}"))) for n in range(20)]
    await asyncio.sleep(0)
    await first.close()
    await asyncio.gather(*writes)
    assert len(await keys(await open_database())) == 20


async def test_processes_write_the_same_row_at_the_same_time(db: AnyDatabase, place: Place) -> None:
    assert run_together("count_up", place, processes=3, times=40) == [40, 40, 40]
    assert await db.read(lambda c: c.execute("SELECT value FROM meta")) == [{"value": "120"}]


async def test_processes_never_claim_the_same_job(db: AnyDatabase, place: Place) -> None:
    for n in range(60):
        await db.write(put(f"{n:03}", "free"))
    counts = run_together("claim", place, processes=3, times=60)
    assert sum(counts) == 60


async def put_runbooks(db: AnyDatabase) -> None:
    rows = [
        ("disk.md", "Disk full", "storage", "Check which file system is full and free some space."),
        ("dns.md", "DNS fails", "network", "Ask each resolver; compare the answers."),
        ("pg.md", "PostgreSQL slow", "database", "Look at locks, then at the disk."),
    ]
    columns = "org_id, path, name, category, body, sha256"
    sql = f"INSERT INTO runbook_texts ({columns}) VALUES (:org, :path, :name, :category, :body, '')"
    for path, name, category, body in rows:
        params = {"org": "acme", "path": path, "name": name, "category": category, "body": body}
        await db.write(lambda c, params=params: c.execute(sql, params))  # type: ignore[misc] # bound now


async def test_search_puts_the_best_first_with_a_score(db: AnyDatabase) -> None:
    await put_runbooks(db)
    found = await db.search("runbook_texts", "the disks are full", 10, org="acme")
    assert [row["path"] for row in found] == ["disk.md", "pg.md"]
    assert float(str(found[0]["score"])) > float(str(found[1]["score"]))
    assert set(found[0]) == {"org_id", "path", "name", "category", "body", "sha256", "score"}


async def test_search_follows_updates_and_deletes(db: AnyDatabase) -> None:
    await put_runbooks(db)
    await db.write(lambda c: c.execute("UPDATE runbook_texts SET body = 'kubernetes' WHERE path = 'dns.md'"))
    await db.write(lambda c: c.execute("DELETE FROM runbook_texts WHERE path = 'disk.md'"))
    assert [row["path"] for row in await db.search("runbook_texts", "kubernetes", 5, org="acme")] == ["dns.md"]
    assert await db.search("runbook_texts", "resolver", 5, org="acme") == []
    assert [row["path"] for row in await db.search("runbook_texts", "disk", 5, org="acme")] == ["pg.md"]


async def test_search_keeps_the_limit(db: AnyDatabase) -> None:
    await put_runbooks(db)
    assert len(await db.search("runbook_texts", "disk", 1, org="acme")) == 1
    assert await db.search("runbook_texts", "disk", 0, org="acme") == []
    assert await db.search("runbook_texts", "disk", -1, org="acme") == []


async def test_search_finds_the_rows_of_one_organisation_only(db: AnyDatabase) -> None:
    await put_runbooks(db)
    assert await db.search("runbook_texts", "disk", 5, org="other") == []


@pytest.mark.parametrize("table", ["meta", "nowhere", 'x"; DROP TABLE meta; --'])
async def test_a_table_without_an_index_cannot_be_searched(db: AnyDatabase, table: str) -> None:
    with pytest.raises(StorageError, match="cannot be searched"):
        await db.search(table, "disk", 5, org="acme")


HOSTILE_WORDS = [
    "", " ", '"', "'", '"disk', "disk'", "disk AND", "OR", "NOT", "NEAR(", "NEAR/2", "disk*", "*", "-disk",
    "name:disk", "name : disk", "^disk", "(disk", ")", "{name body}: x", "disk + full", "a:*", "!disk", "<->",
    "disk\0full", "\0", "🔥", "disk 🔥", "\ud800", "a\\", "%", "%s", ":x", ";--", "/*", "straße İ", "日本語",
    "or or or", "x " * 5000, "y" * 100_000, "\u202edisk", "e\u0301", "_", "__", "a_b", "1e999", "-1",
]  # fmt: skip


async def test_hostile_search_words_never_raise(db: AnyDatabase) -> None:
    await put_runbooks(db)
    for words in HOSTILE_WORDS:
        assert isinstance(await db.search("runbook_texts", words, 5, org="acme"), list), words


async def test_any_search_words_never_raise(db: AnyDatabase) -> None:
    loop = asyncio.get_running_loop()

    @given(st.text(max_size=60))
    @settings(max_examples=100, deadline=None, database=None)
    def search(words: str) -> None:
        asyncio.run_coroutine_threadsafe(db.search("runbook_texts", words, 5, org="acme"), loop).result(10)

    await asyncio.to_thread(search)


async def test_rows_joined_by_the_database_come_in_order_without_nulls(db: AnyDatabase) -> None:
    await db.write(
        lambda c: [c.execute("INSERT INTO meta (key, value) VALUES (:k, :v)", {"k": k, "v": k * 3}) for k in "bca"]
    )
    sql = "SELECT CASE WHEN key = :no THEN NULL ELSE value END AS line FROM meta WHERE key > :min ORDER BY key LIMIT 2"
    assert await db.read(lambda c: c.joined(sql, {"no": "-", "min": "a"})) == "bbb\nccc"
    assert await db.read(lambda c: c.joined(sql, {"no": "b", "min": ""})) == "aaa"
    assert await db.read(lambda c: c.joined(sql, {"no": "b", "min": "x"})) == ""
