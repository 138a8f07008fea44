from __future__ import annotations

from collections.abc import Mapping

import pytest

from akili_cli.adapters.storage.base import Connection
from akili_cli.adapters.storage.prune import BATCH_ROWS, KEPT, RULES, prune
from akili_cli.adapters.storage.schema import tables
from tests.contract.places import AnyDatabase

DAY = 86_400.0
NOW = 400 * DAY
BEFORE = NOW - 90 * DAY
LONG_AGO, LATELY = BEFORE - 5 * DAY, BEFORE + 5 * DAY
OLD_DAY, NEW_DAY = "1970-10-01", "1971-01-30"


def put(connection: Connection, name: str, **given: object) -> None:
    """Add a row; columns that are not named get any value that fits, or NULL where that is allowed."""
    columns = next(table.columns for table in tables() if table.name == name)
    plain: Mapping[str, object] = {"text": "x", "bigint": 1, "double": NOW}
    values = {column: None if kind.endswith("?") else plain[kind] for column, kind in columns.items()} | given
    marks = ", ".join(f":{column}" for column in values)
    connection.execute(f"INSERT INTO {name} ({', '.join(values)}) VALUES ({marks})", values)


OVER: list[tuple[str, dict[str, object]]] = [
    ("conversations", {"id": "over", "updated_at": LONG_AGO}),
    ("approvals", {"id": "over", "status": "denied", "resolved_at": LONG_AGO}),
    ("approvals", {"id": "over2", "status": "expired", "expires_at": LONG_AGO}),
    ("approvals", {"id": "over3", "status": "consumed", "consumed_at": LONG_AGO}),
    ("plans", {"id": "over", "expires_at": LONG_AGO}),
    ("grants", {"id": "over", "expires_at": LONG_AGO}),
    ("api_keys", {"id": "over", "expires_at": LONG_AGO}),
    ("api_keys", {"id": "over2", "revoked_at": LONG_AGO}),
    ("auto_approvals", {"hour": int(LONG_AGO // 3600)}),
    ("budget_reservations", {"id": "over", "closed_at": LONG_AGO}),
    ("budget_reservations", {"id": "over2", "expires_at": LONG_AGO}),
    ("budget_runs", {"run_id": "over", "started_at": LONG_AGO}),
    ("budgets", {"day": OLD_DAY}),
    ("budget_organisations", {"day": OLD_DAY}),
    ("undo_entries", {"id": "over", "at": LONG_AGO, "why_not": "given up"}),
    ("queries", {"id": "over", "created_at": LONG_AGO}),
    ("idempotency_keys", {"idempotency_key": "over", "created_at": LONG_AGO}),
    ("webhook_marks", {"mark": "over", "expires_at": LONG_AGO}),
    ("fires", {"id": "over", "finished_at": LONG_AGO}),
    ("nodes", {"id": "over", "seen_at": LONG_AGO}),
    ("run_effects", {"run_id": "over", "begun_at": LONG_AGO}),
    ("notification_deliveries", {"id": "over", "finished_at": LONG_AGO}),
    ("alert_history", {"id": "over", "created_at": LONG_AGO}),
    ("heartbeat_task_results", {"id": "over", "ended_at": LONG_AGO}),
    ("heartbeat_tasks", {"id": "over", "group_name": "over", "deleted_at": LONG_AGO}),
]
STAYS: list[tuple[str, dict[str, object]]] = [
    ("conversations", {"id": "new", "updated_at": LATELY}),
    ("approvals", {"id": "waits", "status": "pending", "created_at": LONG_AGO, "expires_at": LONG_AGO}),
    ("approvals", {"id": "usable", "status": "approved", "resolved_at": LONG_AGO}),
    ("approvals", {"id": "new", "status": "denied", "resolved_at": LATELY}),
    ("plans", {"id": "new", "expires_at": LATELY}),
    ("api_keys", {"id": "for ever", "created_at": LONG_AGO}),
    ("api_keys", {"id": "lately", "revoked_at": LATELY, "expires_at": LONG_AGO}),
    ("grants", {"id": "stands", "created_at": LONG_AGO, "expires_at": LATELY}),
    ("auto_approvals", {"hour": int(LATELY // 3600)}),
    ("budget_reservations", {"id": "open", "created_at": LONG_AGO, "expires_at": LATELY}),
    ("budget_runs", {"run_id": "held", "started_at": LONG_AGO}),
    ("budget_run_holds", {"run_id": "held", "reservation_id": "open"}),
    ("budgets", {"day": NEW_DAY}),
    ("budget_organisations", {"day": NEW_DAY}),
    ("undo_entries", {"id": "kept", "at": LONG_AGO, "before_digest": "d"}),
    ("queries", {"id": "open", "created_at": LONG_AGO}),
    ("idempotency_keys", {"idempotency_key": "stays", "created_at": LATELY}),
    ("webhook_marks", {"mark": "stays", "expires_at": LATELY}),
    ("fires", {"id": "query:open:once", "created_at": LONG_AGO, "node_id": "busy"}),
    ("fires", {"id": "open", "created_at": LONG_AGO, "node_id": "busy", "run_id": "goes on"}),
    ("nodes", {"id": "busy", "seen_at": LONG_AGO}),
    ("run_effects", {"run_id": "goes on", "begun_at": LONG_AGO}),
    ("notification_deliveries", {"id": "queued", "notice_key": "q", "created_at": LONG_AGO}),
    ("alert_history", {"id": "new", "created_at": LATELY}),
    ("heartbeat_task_results", {"id": "new", "ended_at": LATELY}),
    ("heartbeat_tasks", {"id": "live", "group_name": "live", "last_run_at": LONG_AGO}),
    ("audit_events", {"stream": "s", "seq": 1, "at": LONG_AGO}),
    ("audit_streams", {"stream": "s", "started_at": LONG_AGO, "closed_at": LONG_AGO}),
]


async def counts(db: AnyDatabase) -> dict[str, int]:
    def work(connection: Connection) -> dict[str, int]:
        found = {t.name: connection.execute(f"SELECT count(*) AS n FROM {t.name}")[0]["n"] for t in tables()}
        return {name: int(str(n)) for name, n in found.items() if n}

    return await db.read(work)


def expected(rows: list[tuple[str, dict[str, object]]]) -> dict[str, int]:
    return {name: sum(one == name for one, _ in rows) for name, _ in rows}


def test_every_rule_has_a_row_that_goes_and_one_that_stays() -> None:
    assert {name for name, _ in OVER} == {rule.table for rule in RULES}
    assert {rule.table for rule in RULES} <= {name for name, _ in STAYS}
    assert not {name for name, _ in OVER} & KEPT.keys()


async def test_what_is_over_goes_and_everything_else_stays(db: AnyDatabase) -> None:
    for name, given in OVER + STAYS:
        await db.write(lambda c, name=name, given=given: put(c, name, **{**_mine(name), **given}))  # type: ignore[misc] # bound now
    would = await prune(db, "o", before=BEFORE, rulings=NOW, dry_run=True)
    assert await counts(db) == expected(OVER + STAYS)
    gone = await prune(db, "o", before=BEFORE, rulings=NOW, dry_run=False)
    assert gone == would == expected(OVER)
    assert await counts(db) == expected(STAYS)
    assert set((await prune(db, "o", before=BEFORE, rulings=NOW, dry_run=False)).values()) == {0}


def _mine(name: str) -> dict[str, object]:
    owned = any("org_id" in table.columns for table in tables() if table.name == name)
    return {"org_id": "o"} if owned else {}


async def test_another_organisation_keeps_everything(db: AnyDatabase) -> None:
    for name, given in OVER:
        await db.write(lambda c, name=name, given=given: put(c, name, **{**_mine(name), **given}))  # type: ignore[misc] # bound now
    before = await counts(db)
    gone = await prune(db, "another", before=BEFORE, rulings=NOW, dry_run=False)
    assert {name for name, count in gone.items() if count} == {"nodes"}
    assert await counts(db) == {name: n for name, n in before.items() if name != "nodes"}


async def test_parts_go_with_the_whole_and_only_with_it(db: AnyDatabase) -> None:
    def fill(connection: Connection) -> None:
        for name, at in (("over", LONG_AGO), ("new", LATELY)):
            put(connection, "conversations", id=name, org_id="o", updated_at=at)
            for seq in range(3):
                put(connection, "conversation_messages", conversation_id=name, seq=seq)
            put(connection, "approvals", id=name, org_id="o", status="denied", resolved_at=at)
            put(connection, "approval_votes", approval_id=name)

    await db.write(fill)
    await prune(db, "o", before=BEFORE, rulings=NOW, dry_run=False)
    kept = "SELECT DISTINCT {} AS id FROM {}"
    for table, column in (("conversation_messages", "conversation_id"), ("approval_votes", "approval_id")):
        assert await db.read(lambda c, sql=kept.format(column, table): c.execute(sql)) == [{"id": "new"}]  # type: ignore[misc] # bound now


async def test_rulings_that_are_still_counted_stay(db: AnyDatabase) -> None:
    await db.write(lambda c: put(c, "approvals", id="a", org_id="o", status="consumed", consumed_at=LONG_AGO))
    assert (await prune(db, "o", before=BEFORE, rulings=LONG_AGO - 1, dry_run=False))["approvals"] == 0
    assert (await prune(db, "o", before=BEFORE, rulings=LONG_AGO + 1, dry_run=False))["approvals"] == 1


@pytest.mark.parametrize("rows", [BATCH_ROWS, 2 * BATCH_ROWS + 1])
async def test_more_rows_than_a_page_go(db: AnyDatabase, rows: int) -> None:
    def fill(connection: Connection) -> None:
        for number in range(rows):
            put(connection, "fires", id=f"f{number}", org_id="o", finished_at=LONG_AGO)

    await db.write(fill)
    assert (await prune(db, "o", before=BEFORE, rulings=NOW, dry_run=False))["fires"] == rows
