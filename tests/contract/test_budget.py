from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from akili_cli.adapters.storage.base import Connection
from akili_cli.core.budget import store
from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.budget.model import BudgetStatus, DaySpend, Reservation
from akili_cli.core.budget.settings import BudgetSettings
from akili_cli.domain.errors import BudgetExceededError, NotFoundError, RefusedError
from tests.contract.places import AnyDatabase, OpenDatabase, Place
from tests.contract.processes import run_together
from tests.fakes.clock import FakeClock


def ledger_of(db: AnyDatabase, clock: FakeClock, *, limit: float = 10.0, org: str = "acme") -> Ledger:
    return Ledger(db, org, BudgetSettings(default_limit_usd=limit), clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(db: AnyDatabase, clock: FakeClock) -> Ledger:
    return ledger_of(db, clock)


async def test_a_day_begins_with_nothing_spent(ledger: Ledger) -> None:
    assert await ledger.status("ann") == BudgetStatus(10.0, 0.0, 0.0, 10.0, "2026-02-17")
    assert await ledger.history("ann", 30) == ()


async def test_reserve_holds_and_settle_records(ledger: Ledger) -> None:
    hold = await ledger.reserve("ann", "run-1", 4.0)
    assert await ledger.status("ann") == BudgetStatus(10.0, 0.0, 4.0, 6.0, "2026-02-17")
    await ledger.settle(hold, 1.5)
    assert await ledger.status("ann") == BudgetStatus(10.0, 1.5, 0.0, 8.5, "2026-02-17")


async def test_release_frees_and_spends_nothing(ledger: Ledger) -> None:
    hold = await ledger.reserve("ann", "run-1", 4.0)
    await ledger.release(hold)
    await ledger.release(hold)
    assert await ledger.status("ann") == BudgetStatus(10.0, 0.0, 0.0, 10.0, "2026-02-17")


async def test_the_last_cent_can_be_reserved_and_no_more(ledger: Ledger) -> None:
    for _ in range(100):
        await ledger.reserve("ann", "run-1", 0.1)
    with pytest.raises(BudgetExceededError):
        await ledger.reserve("ann", "run-1", 0.01)
    await ledger.reserve("ann", "run-1", 0.0)


async def test_a_refusal_names_limit_spent_and_reserved(ledger: Ledger) -> None:
    await ledger.settle(await ledger.reserve("ann", "run-1", 3.0), 2.5)
    await ledger.reserve("ann", "run-2", 4.0)
    with pytest.raises(BudgetExceededError) as caught:
        await ledger.reserve("ann", "run-3", 4.0)
    for part in ("$4.0000", "limit $10.0000", "spent $2.5000", "reserved $4.0000", "2026-02-17"):
        assert part in str(caught.value)
    assert caught.value.hint


async def test_a_refused_reservation_leaves_nothing_behind(ledger: Ledger) -> None:
    with pytest.raises(BudgetExceededError):
        await ledger.reserve("ann", "run-1", 11.0)
    assert (await ledger.status("ann")).remaining_usd == 10.0


async def test_settling_twice_charges_once(ledger: Ledger) -> None:
    hold = await ledger.reserve("ann", "run-1", 4.0)
    await asyncio.gather(*(ledger.settle(hold, 3.0) for _ in range(5)))
    await ledger.release(hold)
    assert (await ledger.status("ann")).spent_usd == 3.0


async def test_a_cost_above_the_reservation_is_still_recorded(ledger: Ledger) -> None:
    await ledger.settle(await ledger.reserve("ann", "run-1", 1.0), 12.0)
    status = await ledger.status("ann")
    assert (status.spent_usd, status.remaining_usd) == (12.0, 0.0)
    with pytest.raises(BudgetExceededError):
        await ledger.reserve("ann", "run-2", 0.0)


async def test_a_cost_that_comes_after_the_release_is_recorded_once(ledger: Ledger) -> None:
    hold = await ledger.reserve("ann", "run-1", 1.0)
    await ledger.release(hold)
    await ledger.settle(hold, 0.5)
    await ledger.settle(hold, 0.5)
    assert (await ledger.status("ann")).spent_usd == 0.5


async def test_an_expired_reservation_no_longer_counts_but_can_be_settled(ledger: Ledger, clock: FakeClock) -> None:
    hold = await ledger.reserve("ann", "run-1", 10.0, ttl_s=60)
    clock.move(59)
    with pytest.raises(BudgetExceededError):
        await ledger.reserve("ann", "run-2", 0.5)
    clock.move(1)
    await ledger.reserve("ann", "run-2", 0.5)
    await ledger.settle(hold, 2.0)
    assert await ledger.status("ann") == BudgetStatus(10.0, 2.0, 0.5, 7.5, "2026-02-17")


async def test_a_new_utc_day_starts_afresh_and_old_calls_are_charged_to_their_own(
    ledger: Ledger, clock: FakeClock
) -> None:
    clock.move(12 * 3600 - 1)
    hold = await ledger.reserve("ann", "run-1", 10.0)
    clock.move(1)
    assert await ledger.status("ann") == BudgetStatus(10.0, 0.0, 0.0, 10.0, "2026-02-18")
    await ledger.settle(hold, 9.0)
    await ledger.reserve("ann", "run-2", 10.0)
    assert await ledger.history("ann", 2) == (
        DaySpend("2026-02-18", 10.0, 0.0),
        DaySpend("2026-02-17", 10.0, 9.0),
    )
    assert len(await ledger.history("ann", 1)) == 1


async def test_users_and_organisations_are_apart(db: AnyDatabase, clock: FakeClock) -> None:
    acme, other = ledger_of(db, clock), ledger_of(db, clock, org="other")
    hold = await acme.reserve("ann", "run-1", 10.0)
    await acme.reserve("ben", "run-1", 10.0)
    await other.reserve("ann", "run-1", 10.0)
    with pytest.raises(NotFoundError):
        await other.settle(hold, 1.0)
    with pytest.raises(NotFoundError):
        await other.release(hold)
    assert (await acme.status("ann")).reserved_usd == 10.0


async def test_an_unknown_reservation_is_not_found(ledger: Ledger, clock: FakeClock) -> None:
    ghost = replace(await ledger.reserve("ann", "run-1", 1.0), id="ghost")
    with pytest.raises(NotFoundError):
        await ledger.settle(ghost, 1.0)
    with pytest.raises(NotFoundError):
        await ledger.release(ghost)


async def test_a_new_limit_applies_to_the_day_under_way(db: AnyDatabase, clock: FakeClock) -> None:
    await ledger_of(db, clock).reserve("ann", "run-1", 5.0)
    lower = ledger_of(db, clock, limit=6.0)
    with pytest.raises(BudgetExceededError, match="limit \\$6"):
        await lower.reserve("ann", "run-2", 2.0)
    assert (await lower.status("ann")).remaining_usd == 1.0
    await ledger_of(db, clock, limit=8.0).reserve("ann", "run-2", 2.0)


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), float("-inf"), -0.01, -1e-300])
async def test_what_is_no_cost_is_refused(ledger: Ledger, amount: float) -> None:
    with pytest.raises(RefusedError, match="is not a cost"):
        await ledger.reserve("ann", "run-1", amount)
    hold = await ledger.reserve("ann", "run-1", 1.0)
    with pytest.raises(RefusedError, match="is not a cost"):
        await ledger.settle(hold, amount)
    assert (await ledger.status("ann")).spent_usd == 0.0


@pytest.mark.parametrize("user", ["", "a'b", "x\0y", "\ud800", "日本", "%", "{skip}", "u" * 5000])
async def test_odd_user_names_have_budgets_too(ledger: Ledger, user: str) -> None:
    await ledger.settle(await ledger.reserve(user, "run-1", 1.0), 1.0)
    assert (await ledger.status(user)).spent_usd == 1.0


async def test_concurrent_callers_never_reserve_more_than_the_limit(
    open_database: OpenDatabase, clock: FakeClock
) -> None:
    ledgers = [ledger_of(await open_database(), clock, limit=1.0) for _ in range(2)]

    async def try_it(ledger: Ledger) -> int:
        try:
            await ledger.reserve("ann", "run", 0.1)
        except BudgetExceededError:
            return 0
        return 1

    assert sum(await asyncio.gather(*(try_it(ledgers[n % 2]) for n in range(60)))) == 10


async def test_concurrent_processes_never_spend_more_than_the_limit(db: AnyDatabase, place: Place) -> None:
    counts = run_together("spend", place, processes=3, times=20)
    assert sum(counts) == 10
    spent = (await db.read(lambda c: c.execute("SELECT sum(spent_usd) AS s FROM budgets")))[0]["s"]
    assert spent == pytest.approx(1.0)


async def test_a_reservation_can_share_a_transaction_that_fails(db: AnyDatabase, ledger: Ledger) -> None:
    hold = ledger.plan("ann", "run-1", 1.0)

    def with_record(connection: Connection) -> Reservation:
        store.reserve(connection, hold, ledger.limits("ann"))
        raise LookupError("the record could not be written")

    with pytest.raises(LookupError):
        await db.write(with_record)
    assert (await ledger.status("ann")).reserved_usd == 0.0
