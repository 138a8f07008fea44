from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.llm.fallback import NoModelAnsweredError
from akili_cli.core.agent.settings import AgentSettings
from akili_cli.core.agent.spending import Spending
from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.budget.settings import BudgetSettings
from akili_cli.domain.errors import BudgetExceededError, ModelError
from akili_cli.domain.events import Event
from akili_cli.domain.messages import Attempt, Completion, Message, ModelRequest, TextBlock, Usage
from tests.fakes.models import ScriptedModel
from tests.fakes.wiring import Bench, open_bench, run_by

REQUEST = ModelRequest("", (Message("user", (TextBlock("hi"),)),))


def spending(bench: Bench, price: float | None, *, cap: float | None = None, default: float | None = None) -> Spending:
    settings = AgentSettings.model_validate({} if default is None else {"max_cost_usd": default})
    return Spending(ScriptedModel("x", price=price), bench.pipeline.ledger, run_by(max_cost_usd=cap), settings)


def done(cost: float | None) -> Completion:
    message = Message("assistant", (TextBlock("x"),))
    return Completion(message, Usage(10, 5), "end_turn", "p", "m", cost, (Attempt("q", "n", "down"),))


async def test_a_call_is_held_settled_and_recorded(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        money = spending(bench, 0.5)
        hold = await money.reserve(REQUEST)
        assert (await bench.pipeline.ledger.status("ann")).reserved_usd == 0.5
        await money.settle(hold, done(0.25), bench.pipeline, duration_s=1.5)
        status = await bench.pipeline.ledger.status("ann")
        assert (status.spent_usd, status.reserved_usd) == (0.25, 0.0)
        assert (money.cost_usd, money.usage) == (0.25, Usage(10, 5))
        (entry,) = await bench.records()
        assert (entry.record.tool, entry.record.tokens_used, entry.record.cost_usd) == ("p/m", 15, 0.25)
        assert entry.record.parameters["attempts"] == [{"provider": "q", "model": "n", "error": "down"}]
        assert entry.record.facts == {"provider": "p", "model": "m", "input_tokens": 10, "output_tokens": 5}
        assert entry.record.duration_s == 1.5


async def test_one_unpriced_answer_makes_the_whole_run_unpriced(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        money = spending(bench, 0.0)
        for cost in (0.25, None, 0.25):
            await money.settle(await money.reserve(REQUEST), done(cost), bench.pipeline)
        assert money.cost_usd is None
        assert money.spent_usd == 0.5


@pytest.mark.parametrize(
    ("cap", "default"), [(1.0, None), (None, 1.0), (1.0, 100.0)], ids=["run", "config", "run first"]
)
async def test_a_cap_holds_wherever_it_was_set(tmp_path: Path, cap: float | None, default: float | None) -> None:
    async with open_bench(tmp_path, []) as bench:
        money = spending(bench, 0.6, cap=cap, default=default)
        await money.settle(await money.reserve(REQUEST), done(0.6), bench.pipeline)
        with pytest.raises(BudgetExceededError, match="is spent"):
            await money.reserve(REQUEST)


async def test_an_unpriced_model_is_refused_under_a_cap_and_holds_nothing(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        with pytest.raises(BudgetExceededError, match="no known price"):
            await spending(bench, None, cap=5.0).reserve(REQUEST)
        assert (await bench.pipeline.ledger.status("ann")).reserved_usd == 0


async def test_a_failed_call_gives_its_money_back_and_is_recorded(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        money = spending(bench, 0.5)
        down = NoModelAnsweredError([ModelError("down")], (Attempt("q", "n", "down", 2.0),))
        await money.cut_off(await money.reserve(REQUEST), REQUEST, 0, bench.pipeline, duration_s=2.5, error=down)
        assert (await bench.pipeline.ledger.status("ann")).reserved_usd == 0
        (entry,) = await bench.records()
        assert (entry.record.result, entry.record.error) == ("failure", "no model answered: down")
        tried = [{"provider": "q", "model": "n", "error": "down", "duration_s": 2.0}]
        assert (entry.record.parameters["attempts"], entry.record.duration_s) == (tried, 2.5)


async def test_a_call_that_the_budget_does_not_cover_is_recorded(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        await spending(bench, 0.5).refused(bench.pipeline, BudgetExceededError("too dear"))
        (entry,) = await bench.records()
        assert (entry.record.kind, entry.record.result, entry.record.error) == (
            "model.call",
            "budget_exceeded",
            "too dear",
        )


async def test_a_call_that_breaks_off_pays_for_what_was_asked_and_heard(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        money = spending(bench, 0.5)
        await money.cut_off(await money.reserve(REQUEST), REQUEST, 0, bench.pipeline)
        assert (money.spent_usd, money.usage.output_tokens) == (0.0, 0)
        await money.cut_off(await money.reserve(REQUEST), REQUEST, 40, bench.pipeline)
        status = await bench.pipeline.ledger.status("ann")
        assert (money.spent_usd, money.usage.output_tokens, status.spent_usd, status.reserved_usd) == (
            0.5,
            11,
            0.5,
            0.0,
        )
        first, second = [entry.record for entry in await bench.records()]
        assert (first.result, first.tokens_used, first.cost_usd) == ("interrupted", None, None)
        assert (second.result, second.facts["output_tokens"], second.cost_usd) == ("interrupted", 11, 0.5)


async def test_without_a_limit_that_somebody_set_an_unpriced_model_is_allowed_and_said(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        told: list[Event] = []
        money = spending(bench, None)
        money.ledger = Ledger(bench.db, "default", BudgetSettings.model_validate({}), bench.clock)
        await money.reserve(REQUEST)
        money.announce(told.append)
        assert money.forecast_usd is None
        assert "has no known price" in str(told[0].data["text"])


async def test_an_unpriced_model_is_told_the_lines_to_add(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        with pytest.raises(BudgetExceededError) as caught:
            await spending(bench, None).reserve(REQUEST)
        for line in ("providers:", "  scripted:", "      input_usd_per_million:", "    price: {free: true}"):
            assert line in caught.value.hint.splitlines() or line in caught.value.hint


async def test_the_first_call_is_announced_once_and_only_under_a_cap(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        told: list[Event] = []
        capped, free = spending(bench, 0.1, cap=5.0), spending(bench, 0.1)
        for money in (capped, capped, free):
            await money.reserve(REQUEST)
            money.announce(told.append)
        (event,) = told
        assert event.name == "notice"
        assert event.data["forecast_usd"] == 0.1
        assert capped.forecast_usd == pytest.approx(0.2)


async def test_tokens_are_reserved_and_settled_too(tmp_path: Path) -> None:
    async with open_bench(tmp_path, []) as bench:
        money = spending(bench, 0.0)
        await money.begin()
        hold = await money.reserve(REQUEST)
        (run,) = (await bench.pipeline.ledger.tree("ann")).runs
        assert run.reserved_tokens > REQUEST.max_tokens
        await money.settle(hold, done(0.0), bench.pipeline)
        (run,) = (await bench.pipeline.ledger.tree("ann")).runs
        assert (run.spent_tokens, run.reserved_tokens) == (15, 0)
