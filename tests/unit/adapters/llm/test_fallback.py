from __future__ import annotations

import asyncio

import pytest

from akili_cli.adapters.llm.base import ContextOverflowError, Fault, Peer, ProviderError
from akili_cli.adapters.llm.fallback import FallbackModel, NoModelAnsweredError
from akili_cli.domain.errors import ModelError
from akili_cli.domain.messages import Attempt, TextDelta, Usage
from tests.fakes.chat import ask, listen
from tests.fakes.models import SayingModel, down


def failing(fault: Fault, texts: tuple[str, ...] = ()) -> SayingModel:
    return SayingModel("first", texts, error=ProviderError(Peer("first", "m"), fault, "no"))


async def test_first_model_answers_when_it_can() -> None:
    models = [SayingModel("first", ["a", "b"]), SayingModel("second")]
    pieces, done = await listen(FallbackModel(models), ask())
    assert (pieces, done.provider, models[1].asked) == (["a", "b"], "first", 0)
    assert done.attempts == (Attempt("first", "m"),)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.REQUEST])
async def test_next_model_answers_when_the_first_cannot(fault: Fault) -> None:
    _, done = await listen(FallbackModel([failing(fault), SayingModel("second")]), ask())
    assert done.provider == "second"
    assert [(attempt.provider, bool(attempt.error)) for attempt in done.attempts] == [
        ("first", True),
        ("second", False),
    ]


@pytest.mark.parametrize(
    "error",
    [
        ProviderError(Peer("first", "m"), Fault.REQUEST, "bad request"),
        ContextOverflowError(Peer("first", "m"), Fault.REQUEST, "too long"),
        ModelError("cannot"),
    ],
    ids=["bad request", "overflow", "not retryable"],
)
async def test_wrong_request_is_not_passed_on(error: ModelError) -> None:
    second = SayingModel("second")
    with pytest.raises(ModelError) as caught:
        await listen(FallbackModel([SayingModel("first", [], error=error), second]), ask())
    assert (caught.value, second.asked) == (error, 0)


async def test_answer_that_was_begun_is_not_begun_again() -> None:
    second = SayingModel("second")
    stream = FallbackModel([failing(Fault.UNAVAILABLE, ("half",)), second]).stream(ask())
    assert await anext(stream) == TextDelta("half")
    with pytest.raises(ProviderError) as caught:
        await anext(stream)
    assert second.asked == 0
    assert len(caught.value.attempts) == 1


async def test_cancellation_asks_nobody_else() -> None:
    second = SayingModel("second")
    chain = FallbackModel([SayingModel("first", [], error=asyncio.CancelledError()), second])  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        await listen(chain, ask())
    assert second.asked == 0


async def test_total_failure_lists_every_attempt() -> None:
    chain = FallbackModel([failing(Fault.AUTH), SayingModel("second", [], error=down("second is down"))])
    with pytest.raises(NoModelAnsweredError) as caught:
        await listen(chain, ask())
    assert [attempt.provider for attempt in caught.value.attempts] == ["first", "second"]
    assert str(caught.value) == "no model answered: first (m): no; second is down"
    assert caught.value.retryable


async def test_lone_model_keeps_its_own_error() -> None:
    with pytest.raises(ProviderError):
        await listen(FallbackModel([failing(Fault.UNAVAILABLE)]), ask())


@pytest.mark.parametrize(
    ("costs", "highest"), [((1.0, 2.0), 2.0), ((2.0, 0.0), 2.0), ((1.0, None), None), ((None, 1.0), None)]
)
def test_price_is_the_most_it_may_cost(costs: tuple[float | None, ...], highest: float | None) -> None:
    chain = FallbackModel([SayingModel("x", cost=cost) for cost in costs])
    assert chain.price(Usage(1, 1)) == highest


async def test_close_closes_all() -> None:
    models = [SayingModel("first"), SayingModel("second")]
    chain = FallbackModel(models)
    await chain.close()
    assert [model.closed for model in models] == [1, 1]
    assert (chain.provider, chain.model) == ("first", "m")


def test_chain_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        FallbackModel([])
