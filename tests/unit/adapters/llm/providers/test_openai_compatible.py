from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from akili_cli.adapters.llm.base import Fault, Peer, ProviderError
from akili_cli.adapters.llm.providers.openai_compatible import OpenAICompatible, chat_url
from akili_cli.domain.messages import TextBlock, TextDelta, Usage
from tests.fakes.chat import QuickClock, ask, calls, listen
from tests.fakes.model_server import Call, ModelServer, Reply

PEER = Peer("vllm", "m", "KEY", "sk-secret")


@asynccontextmanager
async def model_at(url: str, **settings: float) -> AsyncIterator[OpenAICompatible]:
    model = OpenAICompatible(PEER, url, clock=QuickClock(), **settings)  # type: ignore[arg-type]
    try:
        yield model
    finally:
        await model.close()


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """Answer every request with these bytes, then close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def failure(url: str, timeout_s: float = 5.0) -> ProviderError:
    async with model_at(url) as model:
        with pytest.raises(ProviderError) as caught:
            await listen(model, ask(timeout_s=timeout_s))
    assert "sk-secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h", "http://h/v1/chat/completions"),
        ("http://h/", "http://h/v1/chat/completions"),
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h/proxy", "http://h/proxy/v1/chat/completions"),
        ("http://h/v1beta/openai", "http://h/v1beta/openai/chat/completions"),
        ("http://h/api/v4", "http://h/api/v4/chat/completions"),
        ("http://v1.example", "http://v1.example/v1/chat/completions"),
    ],
)
def test_endpoint_follows_from_the_base_url(base: str, url: str) -> None:
    assert chat_url(base) == url


async def test_answer_that_is_not_streamed_is_read_all_the_same() -> None:
    reply = Reply(text="whole", tool_calls=[Call("look", {"path": "/"})], fault="not_streaming")
    with ModelServer([reply]) as server:
        async with model_at(server.url) as model:
            pieces, done = await listen(model, ask())
    assert pieces == ["whole"]
    assert done.message.blocks[0] == TextBlock("whole")
    assert [call.arguments for call in calls(done)] == [{"path": "/"}]
    assert (done.stop_reason, done.usage) == ("tool_use", Usage(10, 5))


async def test_text_is_yielded_before_the_answer_is_complete() -> None:
    with ModelServer([Reply(text="first", fault="hang_midway")]) as server:
        async with model_at(server.url) as model:
            stream = model.stream(ask())
            assert await asyncio.wait_for(anext(stream), 3) == TextDelta("first")
            await stream.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_one_connection_serves_many_calls() -> None:
    with ModelServer([Reply(text="a", repeat=True)]) as server:
        async with model_at(server.url + "/v1") as model:
            for _ in range(5):
                await listen(model, ask())
        assert server.connections == 1


async def test_server_that_keeps_the_stream_open_after_the_end_is_left() -> None:
    with ModelServer([Reply(text="a", fault="held_open")]) as server:
        async with model_at(server.url) as model:
            _, done = await asyncio.wait_for(listen(model, ask()), 3)
    assert done.message.text == "a"


async def test_limits_of_the_operator_cap_the_request() -> None:
    with ModelServer([Reply(text="a"), Reply(fault="hang")]) as server:
        async with model_at(server.url, max_tokens=7, timeout_s=0.2) as model:
            await listen(model, ask())
            with pytest.raises(ProviderError, match=r"nothing came for 0\.2 s"):
                await listen(model, ask(timeout_s=60))
    assert server.requests[0]["max_tokens"] == 7


async def test_openai_itself_gets_the_newer_limit() -> None:
    async with model_at("https://api.openai.com") as model:
        body = model._body(ask())
    assert body["max_completion_tokens"] == 256
    assert "max_tokens" not in body


async def test_request_without_tools_names_none() -> None:
    with ModelServer([Reply(text="a")]) as server:
        async with model_at(server.url) as model:
            await listen(model, ask(tools=()))
    assert "tools" not in server.requests[0]


async def test_text_that_is_not_unicode_can_be_sent() -> None:
    with ModelServer([Reply(text="a")]) as server:
        async with model_at(server.url) as model:
            await listen(model, ask("bad \ud800 half"))
    assert server.requests[0]["messages"][1]["content"] == "bad \ufffd half"


async def test_endless_line_is_cut_off() -> None:
    with ModelServer([Reply(fault="huge_line")]) as server:
        error = await failure(server.url)
    assert error.fault is Fault.UNREADABLE
    assert "line is longer" in str(error)


async def test_wait_may_be_named_as_a_date() -> None:
    at = format_datetime(datetime.fromtimestamp(1_012, UTC), usegmt=True)
    with ModelServer([Reply(status=429, headers={"Retry-After": at}), Reply(text="a")]) as server:
        clock = QuickClock(1_000.0)
        model = OpenAICompatible(PEER, server.url, clock=clock)
        await listen(model, ask())
        await model.close()
    assert clock.slept == [12.0]


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "inf", "1e400", "Tue, 99 Foo"])
async def test_senseless_wait_counts_as_none(value: str) -> None:
    with ModelServer([Reply(status=503, headers={"Retry-After": value}), Reply(text="a")]) as server:
        clock = QuickClock()
        model = OpenAICompatible(PEER, server.url, clock=clock)
        await listen(model, ask())
        await model.close()
    assert clock.slept in ([0.5], [0.0])


@pytest.mark.parametrize(
    "error",
    ["plain words", ["x"], None, {"detail": "words"}, {"no": "message"}, {"message": None, "code": 7}, 7],
    ids=repr,
)
async def test_error_body_of_any_shape_is_told(error: object) -> None:
    with ModelServer([Reply(status=400, error=error)]) as server:
        caught = await failure(server.url)
    assert caught.status == 400
    assert caught.reason.isprintable()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nplain words\n", Fault.UNREADABLE, id="prose"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n{broken", Fault.UNREADABLE, id="broken JSON"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000, Fault.UNREADABLE, id="deep JSON"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n\n\n  ", Fault.UNREADABLE, id="blanks"),
        pytest.param(b'HTTP/1.1 200 OK\r\n\r\n{"detail": "?"}', Fault.UNREADABLE, id="no choices"),
        pytest.param(b'HTTP/1.1 200 OK\r\n\r\n{"error": {"message": "x"}}', Fault.UNAVAILABLE, id="error in 200"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n", Fault.SETUP, id="redirect"),
        pytest.param(b"HTTP/1.1 502 X\r\n\r\n<html>" + b"x" * 200_000, Fault.UNAVAILABLE, id="huge error page"),
        pytest.param(b"garbage\r\n\r\n", Fault.UNAVAILABLE, id="not HTTP"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}"),
            Fault.UNREADABLE,
            id="compressed",
        ),
    ],
)
async def test_server_that_is_none_of_ours_is_an_error(answer: bytes, fault: Fault) -> None:
    async with raw_server(answer) as url:
        error = await failure(url)
    assert error.fault is fault


async def test_cancelled_call_ends_at_once() -> None:
    with ModelServer([Reply(fault="hang")]) as server:
        async with model_at(server.url) as model:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await listen(model, ask(timeout_s=60))
    assert len(server.requests) == 1


async def test_closing_twice_or_unused_is_fine() -> None:
    async with model_at("http://127.0.0.1:1") as model:
        await model.close()
        assert (model.provider, model.model, model.price(Usage(1, 1))) == ("vllm", "m", None)
