from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any

import httpx

from akili_cli.adapters.net.listen import open_listener
from akili_cli.adapters.net.server import HttpServer


class App:
    """Answers at once, or when it is let; ``/break`` breaks."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.asked.set()
        if scope["path"] == "/slow":
            await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


def ask(port: int, path: str) -> asyncio.Task[httpx.Response]:
    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(verify=False) as client:  # no TLS
            return await client.get(f"http://127.0.0.1:{port}{path}")

    return asyncio.create_task(asked())


async def test_requests_in_hand_are_answered_and_new_ones_are_not_taken() -> None:
    before = signal.getsignal(signal.SIGTERM)
    app, listener = App(), open_listener("127.0.0.1:0")
    port = listener.getsockname()[1]
    server = HttpServer(app, listener)
    running = asyncio.create_task(server.run())
    assert (await ask(port, "/")).text == "ok"
    assert signal.getsignal(signal.SIGTERM) is before
    app.asked.clear()
    slow = ask(port, "/slow")
    await app.asked.wait()
    running.cancel()  # as the supervisor does; the server itself goes on
    ending = asyncio.create_task(server.end(grace_s=20))
    while not isinstance(await asyncio.gather(ask(port, "/"), return_exceptions=True), list) or not await refused(port):
        pass
    app.may_answer.set()
    assert (await slow).text == "ok"
    await ending


async def refused(port: int) -> bool:
    try:
        await ask(port, "/")
    except httpx.TransportError:
        return True
    return False


async def test_a_request_that_takes_too_long_at_the_end_is_cut_off() -> None:
    app, listener = App(), open_listener("127.0.0.1:0")
    port = listener.getsockname()[1]
    server = HttpServer(app, listener)
    running = asyncio.create_task(server.run())
    slow = ask(port, "/slow")
    await app.asked.wait()
    running.cancel()
    await server.end(grace_s=0.01)
    (outcome,) = await asyncio.gather(slow, return_exceptions=True)
    assert isinstance(outcome, httpx.TransportError) or outcome.status_code == 500  # type: ignore[union-attr]  # an answer


async def test_answers_are_not_held_back_until_more_is_to_be_sent() -> None:
    with open_listener("127.0.0.1:0") as listener:
        HttpServer(App(), listener)
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_one_that_never_ran_ends_at_once() -> None:
    await HttpServer(App(), open_listener("127.0.0.1:0")).end(grace_s=0)
