from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from akili_cli.adapters.llm.base import ContextOverflowError, Fault, Peer, ProviderError
from akili_cli.adapters.llm.providers.litellm import LiteLLM
from akili_cli.adapters.llm.providers.openai_compatible import OpenAICompatible
from akili_cli.adapters.llm.settings import PriceSettings
from akili_cli.domain.messages import Model, TextBlock, TextDelta, Usage
from tests.fakes.chat import QuickClock, after_a_tool, ask, calls, listen
from tests.fakes.model_server import CONTEXT_OVERFLOW, Call, ModelServer, Reply

pytestmark = [  # litellm's own models, which load_litellm() silences outside pytest
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Item .* using the `ReadOnly` qualifier:UserWarning"),
]

KEY = "sk-very-secret-key"
PRICES = PriceSettings(input_usd_per_million=1_000_000, output_usd_per_million=2_000_000)
Make = Callable[[ModelServer], Model]


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture(params=["openai_compatible", "litellm"])
async def make(request: pytest.FixtureRequest, clock: QuickClock) -> AsyncIterator[Make]:
    made: list[Model] = []

    def build(server: ModelServer) -> Model:
        peer = Peer("openai", "gpt-4o", "OPENAI_API_KEY", KEY)
        kind = OpenAICompatible if request.param == "openai_compatible" else LiteLLM
        made.append(kind(peer, server.url, clock=clock, prices=PRICES))
        return made[-1]

    yield build
    for model in made:
        await model.close()


async def fails(model: Model, timeout_s: float = 5.0) -> tuple[list[str], ProviderError]:
    pieces: list[str] = []

    async def read() -> None:
        async for event in model.stream(ask(timeout_s=timeout_s)):
            assert isinstance(event, TextDelta)
            pieces.append(event.text)

    with pytest.raises(ProviderError) as caught:
        await read()
    assert KEY not in str(caught.value) + caught.value.hint
    assert len(caught.value.reason) <= 340
    return pieces, caught.value


async def test_text_arrives_in_pieces_with_usage_and_cost(make: Make) -> None:
    with ModelServer([Reply(text=["Hel", "lo ", "wörld 🎉"])]) as server:
        pieces, done = await listen(make(server), ask())
    assert pieces == ["Hel", "lo ", "wörld 🎉"]
    assert done.message.blocks == (TextBlock("Hello wörld 🎉"),)
    assert (done.stop_reason, done.usage, done.cost_usd) == ("end_turn", Usage(10, 5), 20.0)
    assert (done.provider, done.model) == ("openai", "gpt-4o")
    assert [attempt.error for attempt in done.attempts] == [""]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert server.problems == []


async def test_request_carries_system_history_tools_and_limit(make: Make) -> None:
    with ModelServer([Reply(text="fine")]) as server:
        await listen(make(server), after_a_tool())
    sent = server.requests[0]
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool", "user"]
    assert sent["messages"][3]["content"] == "bin etc"
    assert sent["tools"][0]["function"]["name"] == "look"
    assert (sent["max_tokens"], sent["stream"], sent["stream_options"]) == (4096, True, {"include_usage": True})


async def test_tool_call_split_over_chunks_is_put_together(make: Make) -> None:
    reply = Reply(text="let me see", tool_calls=[Call("look", {"path": "/tmp/ü"}, pieces=9)])
    with ModelServer([reply]) as server:
        _, done = await listen(make(server), ask())
    assert [(call.name, call.arguments) for call in calls(done)] == [("look", {"path": "/tmp/ü"})]
    assert done.stop_reason == "tool_use"
    assert done.message.blocks[0] == TextBlock("let me see")


async def test_parallel_calls_keep_their_arguments_apart(make: Make) -> None:
    wanted = [{"path": f"/{name}"} for name in ("a", "b", "c")]
    with ModelServer([Reply(tool_calls=[Call("look", arguments) for arguments in wanted])]) as server:
        _, done = await listen(make(server), ask())
    assert [call.arguments for call in calls(done)] == wanted
    assert len({call.id for call in calls(done)}) == 3


async def test_tool_use_counts_whatever_the_finish_reason_says(make: Make) -> None:
    with ModelServer([Reply(tool_calls=[Call("look")], finish_reason="stop")]) as server:
        _, done = await listen(make(server), ask())
    assert done.stop_reason == "tool_use"


async def test_length_is_reported_as_max_tokens(make: Make) -> None:
    with ModelServer([Reply(text="and so", finish_reason="length")]) as server:
        _, done = await listen(make(server), ask())
    assert done.stop_reason == "max_tokens"


@pytest.mark.parametrize("raw", ['{"path": ', "[1]", '"x"', "nonsense", '{"a":1,"a":2}', '{"a": NaN}'])
async def test_arguments_that_are_no_object_are_handed_on_raw(make: Make, raw: str) -> None:
    with ModelServer([Reply(tool_calls=[Call("look", raw)])]) as server:
        _, done = await listen(make(server), ask())
    assert [(call.arguments, call.raw) for call in calls(done)] == [(None, raw)]


async def test_repeated_and_missing_ids_become_unique(make: Make) -> None:
    reply = Reply(
        tool_calls=[Call("look", {"n": 1}, id="call_1"), Call("look", {"n": 2}, id=None), Call("look", id="x")]
    )
    with ModelServer([reply]) as server:
        _, done = await listen(make(server), after_a_tool("call_1"))
    ids = [call.id for call in calls(done)]
    assert len({*ids, "call_1"}) == 4
    assert all(ids)


async def test_missing_usage_is_estimated_not_free(make: Make) -> None:
    with ModelServer([Reply(text="four words of text", usage=None)]) as server:
        _, done = await listen(make(server), ask())
    assert done.usage.input_tokens > 0
    assert done.usage.output_tokens > 0


async def test_missing_done_is_forgiven_when_the_answer_was_finished(make: Make) -> None:
    with ModelServer([Reply(text="all of it", fault="no_done")]) as server:
        _, done = await listen(make(server), ask())
    assert done.message.text == "all of it"


async def test_wrong_content_type_is_forgiven(make: Make) -> None:
    with ModelServer([Reply(text="still here", fault="wrong_content_type")]) as server:
        _, done = await listen(make(server), ask())
    assert done.message.text == "still here"


async def test_empty_answer_has_no_blocks(make: Make) -> None:
    with ModelServer([Reply()]) as server:
        pieces, done = await listen(make(server), ask())
    assert (pieces, done.message.blocks, done.stop_reason) == ([], (), "end_turn")


@pytest.mark.parametrize(
    ("status", "fault", "is_retryable"),
    [
        pytest.param(401, Fault.AUTH, False, id="bad key"),
        pytest.param(403, Fault.AUTH, False, id="forbidden"),
        pytest.param(404, Fault.SETUP, False, id="no such model"),
        pytest.param(400, Fault.REQUEST, False, id="bad request"),
        pytest.param(500, Fault.UNAVAILABLE, True, id="server error"),
    ],
)
async def test_refusal_is_told_once_and_not_retried(make: Make, status: int, fault: Fault, is_retryable: bool) -> None:
    with ModelServer([Reply(status=status, error={"message": f"no, {KEY}\x1b[31m"})]) as server:
        pieces, error = await fails(make(server))
    assert (pieces, error.fault, error.status, error.retryable) == ([], fault, status, is_retryable)
    assert "no, ***\\u001b[31m" in str(error)
    assert str(error).startswith("openai (gpt-4o): HTTP ")
    assert len(server.requests) == 1
    assert "OPENAI_API_KEY" in error.hint or fault is not Fault.AUTH


async def test_context_overflow_is_its_own_error(make: Make) -> None:
    with ModelServer([CONTEXT_OVERFLOW]) as server:
        _, error = await fails(make(server))
    assert isinstance(error, ContextOverflowError)


async def test_busy_provider_is_asked_again_after_the_wait_it_names(make: Make, clock: QuickClock) -> None:
    script = [Reply(status=429, headers={"Retry-After": "7"}), Reply(status=503), Reply(text="at last")]
    with ModelServer(script) as server:
        _, done = await listen(make(server), ask())
    assert done.message.text == "at last"
    assert clock.slept == [7.0, 1.0]
    assert [bool(attempt.error) for attempt in done.attempts] == [True, True, False]


async def test_busy_provider_is_given_up_after_three_tries(make: Make) -> None:
    with ModelServer([Reply(status=503, repeat=True)]) as server:
        _, error = await fails(make(server))
    assert len(server.requests) == len(error.attempts) == 3


async def test_wait_beyond_thirty_seconds_is_not_waited(make: Make, clock: QuickClock) -> None:
    with ModelServer([Reply(status=429, headers={"Retry-After": "31"})]) as server:
        _, error = await fails(make(server))
    assert clock.slept == []
    assert "31 s" in error.hint


async def test_exhausted_quota_is_not_waited_for(make: Make) -> None:
    error = {"message": "You exceeded your current quota", "code": "insufficient_quota"}
    with ModelServer([Reply(status=429, error=error)]) as server:
        _, caught = await fails(make(server))
    assert (len(server.requests), caught.fault, caught.retryable) == (1, Fault.QUOTA, False)


async def test_lost_connection_is_tried_again_before_the_first_token(make: Make) -> None:
    with ModelServer([Reply(fault="disconnect"), Reply(text="back")]) as server:
        _, done = await listen(make(server), ask())
    assert done.message.text == "back"


@pytest.mark.parametrize("fault", ["cut", "malformed_chunk", "error_chunk", "no_finish"])
async def test_answer_that_breaks_off_after_text_is_an_error_and_not_asked_again(make: Make, fault: str) -> None:
    with ModelServer([Reply.load({"text": "half an ans", "fault": fault})]) as server:
        pieces, error = await fails(make(server))
    assert pieces == ["half an ans"]
    assert error.retryable
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["html", "empty_body"])
async def test_nonsense_instead_of_an_answer_is_an_error(make: Make, fault: str) -> None:
    with ModelServer([Reply.load({"fault": fault})]) as server:
        pieces, error = await fails(make(server))
    assert (pieces, error.fault) == ([], Fault.UNREADABLE)


@pytest.mark.parametrize("fault", ["hang", "hang_midway", "pings"])
async def test_silence_ends_at_the_timeout(make: Make, fault: str) -> None:
    with ModelServer([Reply(text="here"), Reply.load({"text": "a", "fault": fault})]) as server:
        model = make(server)
        await listen(model, ask())  # whatever is loaded and connected at first takes none of the time below
        _, error = await fails(model, timeout_s=0.7)
    assert error.fault is Fault.TIMEOUT
    assert len(server.requests) == 2


async def test_slow_drip_is_fine_while_each_piece_is_in_time(make: Make) -> None:
    with ModelServer([Reply(text=["a", "b", "c", "d"], drip_s=0.15)]) as server:
        _, done = await listen(make(server), ask(timeout_s=0.5))
    assert done.message.text == "abcd"


async def test_endless_text_is_cut_off(make: Make) -> None:
    with ModelServer([Reply(fault="endless_text")]) as server:
        _, error = await fails(make(server))
    assert error.fault is Fault.UNREADABLE
    assert "larger than" in str(error)


async def test_leaving_early_closes_the_stream(make: Make) -> None:
    with ModelServer([Reply(text="a", fault="hang_midway")]) as server:
        stream = make(server).stream(ask())
        assert isinstance(await anext(stream), TextDelta)
        await stream.aclose()  # type: ignore[attr-defined]  # a generator in every provider


async def test_unreachable_provider_is_unavailable(make: Make, clock: QuickClock) -> None:
    with ModelServer() as server:
        pass
    _, error = await fails(make(server))
    assert (error.fault, len(error.attempts)) == (Fault.UNAVAILABLE, 3)
