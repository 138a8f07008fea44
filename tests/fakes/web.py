"""A real HTTP server on a free loopback port that answers whatever a test tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable

Answer = Callable[[str], bytes]


class WebServer:
    """``requests`` holds the head of every request that came in. ``hang`` keeps connections open for ever."""

    def __init__(self, answer: Answer, *, hang: bool = False) -> None:
        self.answer = answer
        self.requests: list[str] = []
        self.port = 0
        self._hang = hang
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(head)
            writer.write(self.answer(head))
            await writer.drain()
            if self._hang:
                await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def finish(self) -> None:
        await asyncio.gather(*self._tasks)


def response(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextlib.asynccontextmanager
async def web_server(
    answer: Answer, host: str = "127.0.0.1", *, hang: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[WebServer]:
    web = WebServer(answer, hang=hang)
    server = await asyncio.start_server(web.serve, host, 0, ssl=tls)
    web.port = server.sockets[0].getsockname()[1]
    try:
        yield web
    finally:
        server.close()
        await server.wait_closed()
        await web.finish()
