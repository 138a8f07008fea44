from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from akili_cli.adapters.llm.base import Fault, Peer, ProviderError
from akili_cli.adapters.llm.tries import DONE, retry_delay_s, stream_chat
from akili_cli.domain.messages import Completion, TextDelta
from tests.fakes.chat import QuickClock, ask

PEER = Peer("p", "m")


def failure(
    fault: Fault = Fault.UNAVAILABLE, status: int | None = None, retry_after_s: float | None = None
) -> ProviderError:
    return ProviderError(PEER, fault, "no", status=status, retry_after_s=retry_after_s)


@pytest.mark.parametrize(
    ("error", "tries", "delay"),
    [
        pytest.param(failure(), 1, 0.5, id="lost connection"),
        pytest.param(failure(), 2, 1.0, id="longer the second time"),
        pytest.param(failure(), 3, None, id="not a fourth time"),
        pytest.param(failure(Fault.RATE_LIMIT, 429), 1, 0.5, id="busy"),
        pytest.param(failure(Fault.RATE_LIMIT, 429, 30.0), 1, 30.0, id="named wait"),
        pytest.param(failure(Fault.RATE_LIMIT, 429, 0.0), 1, 0.0, id="no wait"),
        pytest.param(failure(Fault.RATE_LIMIT, 429, 30.1), 1, None, id="wait too long"),
        pytest.param(failure(status=503), 1, 0.5, id="503"),
        pytest.param(failure(status=500), 1, None, id="500"),
        pytest.param(failure(Fault.TIMEOUT), 1, None, id="timeout"),
        pytest.param(failure(Fault.AUTH, 401), 1, None, id="bad key"),
        pytest.param(failure(Fault.UNREADABLE), 1, None, id="nonsense"),
    ],
)
def test_only_a_busy_or_lost_provider_is_asked_again(error: ProviderError, tries: int, delay: float | None) -> None:
    assert retry_delay_s(error, tries) == delay


async def test_durations_and_cost_are_recorded() -> None:
    clock = QuickClock()

    async def source() -> AsyncGenerator[object, None]:
        yield {"choices": [{"delta": {"content": "a"}}]}
        clock.at += 2.0
        yield DONE

    events = [event async for event in stream_chat(PEER, ask(), source, price=lambda _: 1.5, clock=clock)]
    assert isinstance(events[0], TextDelta)
    done = events[-1]
    assert isinstance(done, Completion)
    assert (done.cost_usd, done.attempts[0].duration_s) == (1.5, 2.0)


async def test_tool_call_that_began_is_not_asked_for_again() -> None:
    tries = []

    async def source() -> AsyncGenerator[object, None]:
        tries.append(1)
        yield {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "a"}}]}}]}
        raise failure()

    with pytest.raises(ProviderError):
        [event async for event in stream_chat(PEER, ask(), source, price=lambda _: None, clock=QuickClock())]
    assert len(tries) == 1
