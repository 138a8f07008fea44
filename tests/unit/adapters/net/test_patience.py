from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from akili_cli.adapters.net.listen import open_listener
from akili_cli.adapters.net.patience import patient

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def hello(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(head_s: float, idle_s: int = 60) -> AsyncIterator[Callable[[], Awaitable[Streams]]]:
    with open_listener("127.0.0.1:0") as listener:
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            hello, http=patient(head_s), ws="none", lifespan="off", log_config=None, timeout_keep_alive=idle_s
        )
        server = Quiet(config)
        task = asyncio.create_task(server.serve(sockets=[listener.dup()]))
        try:
            yield lambda: asyncio.open_connection("127.0.0.1", port)
        finally:
            server.should_exit = True
            await task


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """Read to the end, however the other side ended it."""
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""


async def test_a_connection_that_says_nothing_is_cut_off() -> None:
    async with serving(0.05) as connect:
        reader, writer = await connect()
        assert await rest_of(reader) == b""
        writer.close()


async def test_a_head_that_comes_drop_by_drop_is_cut_off() -> None:
    async with serving(0.15) as connect:
        reader, writer = await connect()
        ended = asyncio.create_task(rest_of(reader))
        writer.write(HEAD)
        sent = 0
        while not ended.done():
            writer.write(b"X-Slow: 1\r\n")
            sent += 1
            await asyncio.wait([ended], timeout=0.02)
        assert await ended == b""
        assert sent < 100
        writer.close()


async def test_a_second_head_on_the_same_connection_has_no_more_time() -> None:
    async with serving(0.1) as connect:
        reader, writer = await connect()
        writer.write(HEAD + b"\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.write(HEAD)
        assert await rest_of(reader) == b""
        writer.close()


async def test_a_connection_may_rest_between_two_requests() -> None:
    async with serving(0.05) as connect:
        reader, writer = await connect()
        writer.write(HEAD + b"\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        ended = asyncio.create_task(reader.readuntil(b"ok"))
        await asyncio.wait([ended], timeout=0.15)
        assert not ended.done()
        writer.write(HEAD + b"\r\n")
        assert (await ended).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_body_nobody_reads_is_not_waited_for_without_end() -> None:
    async with serving(0.1) as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
        assert (await rest_of(reader)).endswith(b"ok")
        writer.close()


async def test_a_body_nobody_reads_does_not_spoil_the_next_request() -> None:
    async with serving(5) as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
        await reader.readuntil(b"ok")
        writer.write(b"abc" + HEAD + b"\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_what_is_no_http_is_answered_in_the_shape_of_all_errors() -> None:
    bad = (
        b"rubbish\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 70_000,
    )
    async with serving(5) as connect:
        for sent in bad:
            reader, writer = await connect()
            writer.write(sent)
            head, _, body = (await rest_of(reader)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400")
            assert b"Connection: close" in head
            said = json.loads(body)
            assert said["code"] == "bad_request"
            assert said["correlation_id"].encode() in head
            writer.close()


async def test_a_body_that_breaks_off_the_protocol_midway_ends_the_connection() -> None:
    async with serving(5) as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert b"\r\n\r\n" in await rest_of(reader)
        writer.close()
