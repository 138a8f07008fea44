from __future__ import annotations

import asyncio
import random

import pytest

from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.budget.settings import BudgetSettings
from akili_cli.domain.errors import BudgetExceededError, NotFoundError, RefusedError
from tests.contract.places import AnyDatabase, OpenDatabase
from tests.fakes.clock import FakeClock


def ledger_of(db: AnyDatabase, clock: FakeClock, **settings: object) -> Ledger:
    return Ledger(db, "acme", BudgetSettings.model_validate(settings), clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_each_level_refuses_in_its_own_words(db: AnyDatabase, clock: FakeClock) -> None:
    ledger = ledger_of(db, clock, organisation_limit_usd=5.0, users={"ann": 3.0}, run_limit_usd=2.0)
    with pytest.raises(BudgetExceededError, match="budget of this run"):
        await ledger.reserve("ann", "r1", 2.5)
    await ledger.reserve("ann", "r1", 2.0)
    with pytest.raises(BudgetExceededError, match=r"limit \$3.0000"):
        await ledger.reserve("ann", "r2", 1.5)
    await ledger.reserve("ben", "r3", 2.0)
    with pytest.raises(BudgetExceededError, match="organisation's budget"):
        await ledger.reserve("cleo", "r4", 1.5)


async def test_a_refusal_at_any_level_holds_nothing_at_the_others(db: AnyDatabase, clock: FakeClock) -> None:
    ledger = ledger_of(db, clock, organisation_limit_usd=5.0, run_limit_usd=1.0)
    with pytest.raises(BudgetExceededError):
        await ledger.reserve("ann", "r1", 2.0)
    tree = await ledger.tree("ann")
    assert (tree.organisation.reserved_usd, tree.user.reserved_usd, tree.runs) == (0.0, 0.0, ())


async def test_children_share_the_limit_of_the_run_above(db: AnyDatabase, clock: FakeClock) -> None:
    ledger = ledger_of(db, clock)
    await ledger.begin("ann", "root", run_limit_usd=1.0)
    await ledger.begin("ann", "child", parent_id="root")
    hold = await ledger.reserve("ben", "grandchild", 0.6, parent_id="child", tokens=7)
    with pytest.raises(BudgetExceededError, match="run above"):
        await ledger.reserve("ann", "child", 0.6, parent_id="root")
    await ledger.settle(hold, 0.5, 9)
    levels = {level.name: level for level in (await ledger.tree("ann")).runs}
    assert (levels["root"].spent_usd, levels["root"].spent_tokens, levels["child"].parent) == (0.5, 9, "root")
    assert levels["root"].remaining_usd == 0.5
    await ledger.release(await ledger.reserve("ann", "child", 0.5))


async def test_what_costs_nothing_is_stopped_at_the_same_levels_whether_alone_or_with_its_intent(
    db: AnyDatabase, clock: FakeClock
) -> None:
    async def refusals(ledger: Ledger, run: str, **family: str) -> list[str]:
        _, covers = ledger.unheld("ann", run, parent_id=family.get("parent_id"))
        found = []
        for attempt in (ledger.reserve("ann", run, 0.0, parent_id=family.get("parent_id")), db.write(covers)):
            try:
                await attempt
                found.append("")
            except (BudgetExceededError, NotFoundError) as error:
                found.append(str(error))
        return found

    free = ledger_of(db, clock)
    await free.begin("ann", "plain")
    for over in ("run", "child", "grandchild"):
        await free.begin("ann", over, run_limit_usd=1.0 if over == "run" else None, parent_id=_above(over))
    assert (
        await refusals(free, "new") == await refusals(free, "plain") == await refusals(free, "grandchild") == ["", ""]
    )
    await free.settle(await free.reserve("ben", "child", 0.5), 1.5, 7)
    for name in ("run", "child", "grandchild"):
        alone, together = await refusals(free, name)
        assert alone == together != ""
    alone, together = await refusals(free, "another", parent_id="grandchild")
    assert alone == together != ""
    alone, together = await refusals(free, "orphan", parent_id="ghost")
    assert alone == together != ""
    assert await refusals(free, "plain") == ["", ""]
    for settings in ({"organisation_limit_usd": 1.0}, {"users": {"ann": 1.0}}):
        strict = ledger_of(db, clock, **settings)
        if "users" in settings:
            await free.settle(await free.reserve("ann", "plain", 1.0), 2.0)
        alone, together = await refusals(strict, "plain")
        assert alone == together != ""
    await free.begin("ann", "counted")
    counted = ledger_of(db, clock, max_tokens_per_run=5)
    await counted.begin("ann", "counted")
    await counted.settle(await counted.reserve("ann", "counted", 0.0, tokens=5), 0.0, 9)
    alone, together = await refusals(counted, "counted")
    assert alone == together != ""


def _above(run: str) -> str | None:
    return {"child": "run", "grandchild": "child"}.get(run)


async def test_a_child_of_a_run_nobody_began_is_refused(db: AnyDatabase, clock: FakeClock) -> None:
    ledger = ledger_of(db, clock)
    with pytest.raises(NotFoundError):
        await ledger.reserve("ann", "child", 0.1, parent_id="ghost")
    with pytest.raises(RefusedError):
        await ledger.begin("ann", "own", parent_id="own")


async def test_generations_end_somewhere(db: AnyDatabase, clock: FakeClock) -> None:
    ledger = ledger_of(db, clock)
    parent = None
    for number in range(16):
        await ledger.begin("ann", f"r{number}", parent_id=parent)
        parent = f"r{number}"
    with pytest.raises(RefusedError, match="generations"):
        await ledger.begin("ann", "r16", parent_id=parent)


async def test_tokens_have_a_limit_of_their_own(db: AnyDatabase, clock: FakeClock) -> None:
    ledger = ledger_of(db, clock, max_tokens_per_run=1000)
    hold = await ledger.reserve("ann", "r1", 0.0, tokens=900)
    with pytest.raises(BudgetExceededError, match="token limit"):
        await ledger.reserve("ann", "r1", 0.0, tokens=200)
    await ledger.settle(hold, 0.0, 100)
    await ledger.reserve("ann", "r1", 0.0, tokens=900)
    await ledger.reserve("ann", "r2", 0.0, tokens=900)


async def test_a_caller_can_tighten_the_run_limit_but_not_widen_it(db: AnyDatabase, clock: FakeClock) -> None:
    ledger = ledger_of(db, clock, run_limit_usd=1.0)
    with pytest.raises(BudgetExceededError, match=r"limit \$0.5"):
        await ledger.reserve("ann", "r1", 0.6, run_limit_usd=0.5)
    with pytest.raises(BudgetExceededError, match=r"limit \$1.0"):
        await ledger.reserve("ann", "r2", 1.5, run_limit_usd=50.0)


async def test_what_a_crash_left_held_is_freed_at_every_level_when_it_expires(
    open_database: OpenDatabase, clock: FakeClock
) -> None:
    settings = {"organisation_limit_usd": 1.0, "run_limit_usd": 1.0, "max_tokens_per_run": 100}
    crashed = ledger_of(await open_database(), clock, **settings)
    await crashed.reserve("ann", "r1", 1.0, tokens=100, ttl_s=60)
    ledger = ledger_of(await open_database(), clock, **settings)
    with pytest.raises(BudgetExceededError):
        await ledger.reserve("ann", "r1", 0.5, tokens=1)
    clock.move(60)
    await ledger.reserve("ann", "r1", 1.0, tokens=100)


async def test_a_cost_nothing_was_held_for_is_booked_at_every_level(db: AnyDatabase, clock: FakeClock) -> None:
    ledger = ledger_of(db, clock, organisation_limit_usd=1.0)
    hold = await ledger.reserve("ann", "r1", 0.0)
    assert not hold.held
    await ledger.settle(hold, 0.75, 3)
    tree = await ledger.tree("ann")
    assert [tree.organisation.spent_usd, tree.user.spent_usd, tree.runs[0].spent_usd] == [0.75] * 3
    assert (tree.user.spent_tokens, tree.runs[0].spent_tokens) == (3, 3)


@pytest.mark.parametrize("seed", range(3))
async def test_no_level_is_ever_exceeded_whatever_concurrent_callers_do(
    open_database: OpenDatabase, clock: FakeClock, seed: int
) -> None:
    """Holds of random size at random places, settled below, released or forgotten, through two connections."""
    dice = random.Random(seed)
    limits = {"organisation_limit_usd": 3.0, "default_limit_usd": 2.0, "run_limit_usd": 1.0, "max_tokens_per_run": 500}
    ledgers = [ledger_of(await open_database(), clock, **limits) for _ in range(2)]
    for user in ("ann", "ben"):
        await ledgers[0].begin(user, f"{user}-root")
        for child in range(2):
            await ledgers[0].begin(user, f"{user}-{child}", parent_id=f"{user}-root")

    async def one(number: int) -> None:
        ledger, user = ledgers[number % 2], dice.choice(("ann", "ben"))
        run, usd, tokens = f"{user}-{dice.choice(('root', '0', '1'))}", dice.uniform(0.01, 0.3), dice.randint(1, 100)
        end = dice.choice(("settle", "release", "crash"))
        try:
            hold = await ledger.reserve(user, run, usd, tokens=tokens)
        except BudgetExceededError:
            return
        if end == "settle":
            await ledger.settle(hold, usd * 0.9, tokens - 1)
        elif end == "release":
            await ledger.release(hold)

    async def watch() -> None:
        for _ in range(10):
            await assert_within(ledgers[0])

    async def assert_within(ledger: Ledger) -> None:
        for user in ("ann", "ben"):
            tree = await ledger.tree(user)
            for level in (tree.organisation, tree.user, *tree.runs):
                assert level.limit_usd is not None
                assert level.spent_usd + level.reserved_usd <= level.limit_usd + 1e-6
                assert level.max_tokens is None or level.spent_tokens + level.reserved_tokens <= level.max_tokens

    await asyncio.gather(*(one(number) for number in range(60)), watch())
    await assert_within(ledgers[1])
    tree = await ledgers[0].tree("ann")
    whole = tree.user.spent_usd + (await ledgers[0].tree("ben")).user.spent_usd
    assert tree.organisation.spent_usd == pytest.approx(whole)
