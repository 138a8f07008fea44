"""A real server on a free loopback port that plays recorded answers of a gateway, and of what is none."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CARD: dict[str, Any] = {
    "id": "1a2b3c4d" * 4,
    "short_id": "1a2b3c4d",
    "status": "pending",
    "risk": "high",
    "tool": "shell_exec",
    "arguments": {"command": "df -h"},
    "user": "ada",
    "source": "http",
    "agent": None,
    "host": "web1",
    "cwd": "/srv",
    "effects": {"commands": [["df", "-h"]], "reversible": True},
    "reversible": True,
    "rule": "role:operator/require_approval",
    "origin": "built-in",
    "because": "high risk",
    "reason": "I look at the disk",
    "untrusted": [],
    "plan": None,
    "digest": "d" * 64,
    "created_at": 1_700_000_000.0,
    "expires_at": 4_000_000_000.0,
    "resolved_by": None,
    "feedback": None,
    "outcome": None,
    "sandbox": [{"name": "landlock", "active": True, "detail": ""}],
    "cost": {"spent_usd": 0.5, "remaining_usd": 9.5, "call_usd": 0.0},
}
RUN: dict[str, Any] = {
    "schema": "akili.run/1",
    "status": "ok",
    "answer": "all well",
    "error": None,
    "denials": [],
    "approvals": [],
    "steps": [],
    "usage": {"input_tokens": 3, "output_tokens": 4, "forecast_usd": 0.0, "forecast_error_usd": 0.0},
    "cost_usd": 0.0,
    "provider": "stub",
    "model": "stub",
    "attempts": [],
    "conversation_id": "c-1",
    "correlation_id": "00112233aabbccdd",
    "run_id": "r-1",
    "report": None,
    "plan": None,
}
STARTED = {"run_id": "r-1", "correlation_id": "00112233aabbccdd", "conversation_id": "c-1", "user": "ada"}


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Open:
    """What one connection begins to say before it falls silent."""

    data: bytes


Played = bytes | Callable[[Asked], bytes] | Open | None
"""What one connection is answered with before it ends; None keeps it open without a word."""


class GatewayServer:
    """Plays one answer a connection, in order, or by path; ``requests`` is what came in."""

    def __init__(self, answers: Sequence[Played] | Mapping[str, Played]) -> None:
        self.requests: list[Asked] = []
        self.streaming = False
        self.port = 0
        self._routes = dict(answers) if isinstance(answers, Mapping) else {}
        self._left = [] if isinstance(answers, Mapping) else list(answers)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @staticmethod
    def open(data: bytes) -> Open:
        return Open(data)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, path, _ = first.split(" ")
            asked = Asked(method, path, headers, body)
            self.requests.append(asked)
            answer = self._answer(asked)
            writer.write(answer.data if isinstance(answer, Open) else answer or b"")
            await writer.drain()
            if not isinstance(answer, bytes):
                self.streaming = True
                await reader.read()

    def _answer(self, asked: Asked) -> bytes | Open | None:
        if self._routes:
            played = self._routes.get(f"{asked.method} {asked.path}", answer({"error": "there is no such path"}, 404))
        else:
            played = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        return played(asked) if callable(played) else played

    async def finish(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def answer(body: object, status: int = 200, **headers: str) -> bytes:
    """Write a whole JSON answer, or one of other bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "application/json", "Content-Length": str(len(data)), **_named(headers)}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


def stream(*frames: bytes, whole: bool = True) -> bytes:
    """Write an event stream in chunks; one that is not ``whole`` is cut where it is."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in frames)
    return head + chunks + (b"0\r\n\r\n" if whole else b"")


def frame(number: int | None, name: str, data: Mapping[str, object]) -> bytes:
    """Write one frame as the gateway does."""
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def started(number: int = 1) -> bytes:
    return frame(number, "run_started", {"event": "run.started", **STARTED})


def text(number: int, words: str) -> bytes:
    return frame(number, "text", {"event": "text", "text": words, "content": words})


def done(number: int, **run: object) -> bytes:
    report = {**RUN, **run}
    ids = {name: report[name] for name in ("status", "correlation_id", "conversation_id", "run_id")}
    return frame(number, "done", {"event": "run.finished", **ids, "tokens_used": 7, "run": report})


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@contextlib.asynccontextmanager
async def gateway_server(answers: Sequence[Played] | Mapping[str, Played]) -> AsyncIterator[GatewayServer]:
    played = GatewayServer(answers)
    server = await asyncio.start_server(played.serve, "127.0.0.1", 0)
    played.port = server.sockets[0].getsockname()[1]
    try:
        yield played
    finally:
        server.close()
        await played.finish()


@contextlib.contextmanager
def gateway_thread(answers: Sequence[Played] | Mapping[str, Played]) -> Iterator[GatewayServer]:
    """Serve from a thread of its own, for commands that run an event loop themselves."""
    ready, ends = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    made: list[GatewayServer] = []

    async def serve() -> None:
        async with gateway_server(answers) as server:
            made.append(server)
            ready.set()
            await ends.wait()

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(5)
        yield made[0]
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join()
