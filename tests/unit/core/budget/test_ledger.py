from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.core.budget.ledger import Ledger, checked_usd, utc_day
from akili_cli.core.budget.settings import BudgetSettings
from akili_cli.domain.errors import BudgetExceededError, RefusedError
from tests.fakes.clock import FakeClock


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = await open_sqlite(tmp_path / "akili.db")
    yield database
    await database.close()


@pytest.mark.parametrize(
    ("at", "day"),
    [(0.0, "1970-01-01"), (86_399.999, "1970-01-01"), (86_400.0, "1970-01-02"), (1_771_329_045.5, "2026-02-17")],
)
def test_days_are_utc(at: float, day: str) -> None:
    assert utc_day(at) == day


@pytest.mark.parametrize("amount", [0, 0.0, 1, 0.000001, 1e12])
def test_a_cost_is_a_finite_number_from_zero_up(amount: float) -> None:
    assert checked_usd(amount) == amount
    assert type(checked_usd(amount)) is float


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), float("-inf"), -1.0])
def test_anything_else_is_refused_with_a_hint(amount: float) -> None:
    with pytest.raises(RefusedError) as caught:
        checked_usd(amount)
    assert caught.value.hint


async def test_a_plan_holds_nothing_yet(db: SqliteDatabase) -> None:
    ledger = Ledger(db, "acme", BudgetSettings(), FakeClock())
    hold = ledger.plan("ann", "run", 2.0, ttl_s=60)
    assert (hold.org, hold.user, hold.day, hold.run_id, hold.amount_usd) == (
        "acme", "ann", "2026-02-17", "run", 2.0,
    )  # fmt: skip
    assert hold.expires_at - hold.created_at == 60
    assert (await ledger.status("ann")).reserved_usd == 0.0
    assert ledger.limits("ann").user_usd == 10.0


async def test_reserve_settle_and_refuse(db: SqliteDatabase) -> None:
    ledger = Ledger(db, "acme", BudgetSettings(default_limit_usd=1.0), FakeClock())
    await ledger.settle(await ledger.reserve("ann", "run", 0.6), 0.6)
    with pytest.raises(BudgetExceededError):
        await ledger.reserve("ann", "run", 0.6)
    await ledger.release(await ledger.reserve("ann", "run", 0.4))
    assert (await ledger.status("ann")).remaining_usd == pytest.approx(0.4)


@pytest.mark.parametrize("days", [-1, 0, 1, 10**12])
async def test_history_takes_any_number_of_days(db: SqliteDatabase, days: int) -> None:
    ledger = Ledger(db, "acme", BudgetSettings(), FakeClock())
    await ledger.reserve("ann", "run", 1.0)
    assert [day.day for day in await ledger.history("ann", days)] == ["2026-02-17"]


async def test_a_call_that_costs_nothing_is_compared_with_the_limits_where_its_intent_is_written(
    db: SqliteDatabase,
) -> None:
    ledger = Ledger(db, "default", BudgetSettings(default_limit_usd=1.0), FakeClock())
    hold, covers = ledger.unheld("ann", "run-1")
    assert (hold.amount_usd, hold.held) == (0.0, False)
    await db.write(covers)
    await ledger.settle(await ledger.reserve("ann", "run-1", 0.5), 1.5)
    with pytest.raises(BudgetExceededError, match=r"limit \$1\.0000, spent \$1\.5000"):
        await db.write(covers)
    assert (await ledger.status("ann")).reserved_usd == 0.0
