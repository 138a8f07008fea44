"""A streaming, OpenAI-compatible model server that says what its script says, faults included.

In a test: ``with ModelServer([Reply(text="hi")]) as server: ... server.url``.
As a process: ``python -m tests.fakes.model_server --script FILE [--port 0]`` prints the URL, then serves
until SIGTERM. FILE holds a JSON list of replies, each an object with the fields of ``Reply``. Replies are
used in order, one per POST; one that says ``"repeat": true`` is used for ever.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

Fault = Literal[
    "cut",  # closes the connection in the middle of a chunk, after all text
    "malformed_chunk",  # sends a chunk that is not JSON
    "no_done",  # ends cleanly without [DONE]
    "no_finish",  # ends cleanly without finish_reason and [DONE]
    "error_chunk",  # reports an error inside the stream
    "not_streaming",  # answers with one JSON document
    "html",  # answers 200 with an HTML page
    "empty_body",  # answers 200 with nothing
    "hang",  # accepts the request and never answers
    "hang_midway",  # sends the text, then nothing
    "pings",  # sends keep-alive comments and no answer, for ever
    "endless_text",  # never stops talking
    "huge_line",  # sends one endless line
    "wrong_content_type",  # streams under text/plain
    "disconnect",  # closes the connection before any answer
    "held_open",  # keeps the connection open after [DONE]
]


@dataclass(frozen=True)
class Call:
    """A tool call of a reply; a ``str`` of arguments is sent as it is, ``None`` leaves a field out."""

    name: str | None
    arguments: Mapping[str, Any] | str | None = field(default_factory=dict)
    id: str | None = "auto"
    index: int | None = -1
    pieces: int = 3


@dataclass(frozen=True)
class Reply:
    """One answer: ``text`` may be a list of chunks, ``usage=None`` leaves it out, other status = error."""

    text: str | Sequence[str] = ""
    tool_calls: Sequence[Call] = ()
    usage: Mapping[str, Any] | None = field(default_factory=lambda: {"prompt_tokens": 10, "completion_tokens": 5})
    finish_reason: str | None = None
    fault: Fault | None = None
    status: int = 200
    error: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drip_s: float = 0.0
    repeat: bool = False

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Reply:
        """Make a reply from its JSON form."""
        return cls(**{**data, "tool_calls": [Call(**call) for call in data.get("tool_calls", ())]})


CONTEXT_OVERFLOW = Reply(
    status=400,
    error={
        "message": "This model's maximum context length is 8192 tokens.",
        "type": "invalid_request_error",
        "code": "context_length_exceeded",
    },
)


class ModelServer:
    """Serves a script on a free loopback port, from a thread of its own."""

    def __init__(self, script: Sequence[Reply] = (), *, port: int = 0, models: Sequence[str] = ("stub",)) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.problems: list[str] = []
        self.connections = 0
        self.url = ""
        self._script = list(script)
        self._next = 0
        self._port = port
        self._models = tuple(models)
        self._ids = itertools.count(1)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="model-server")

    def __enter__(self) -> ModelServer:
        self._thread.start()
        self._ready.wait(10)
        assert self.url, "the model server did not start"
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def __aenter__(self) -> ModelServer:
        return self.__enter__()

    async def __aexit__(self, *exc: Any) -> None:
        self.__exit__(*exc)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        open_tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            open_tasks.add(task)
            self.connections += 1
            try:
                while await self._one_request(reader, writer):
                    pass
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                open_tasks.discard(task)
                writer.close()
                with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                    await writer.wait_closed()

        server = await asyncio.start_server(connected, "127.0.0.1", self._port, limit=64 * 1024 * 1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in tuple(open_tasks):
            task.cancel()
        await asyncio.gather(*open_tasks, return_exceptions=True)
        await server.wait_closed()

    async def _one_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if method == "GET" and path == "/v1/models":
            data = [{"id": name, "object": "model"} for name in self._models]
            await send_json(writer, 200, {"object": "list", "data": data})
            return True
        if method != "POST" or path != "/v1/chat/completions":
            await send_json(writer, 404, {"error": {"message": f"no such path: {method} {path}"}})
            return True
        return await self._chat(writer, headers, body)

    async def _chat(self, writer: asyncio.StreamWriter, headers: dict[str, str], body: bytes) -> bool:
        request = json.loads(body)
        self.requests.append(request)
        self.headers.append(headers)
        problems = shape_problems(request)
        self.problems += problems
        if problems:
            await send_json(writer, 400, {"error": {"message": "; ".join(problems)}})
            return True
        if self._next >= len(self._script):
            await send_json(writer, 400, {"error": {"message": "the script of the model server is exhausted"}})
            return True
        reply = self._script[self._next]
        self._next += not reply.repeat
        return await self._answer(writer, reply, request)

    async def _answer(self, writer: asyncio.StreamWriter, reply: Reply, request: Mapping[str, Any]) -> bool:
        if reply.status != 200:
            error = {"message": f"scripted {reply.status}"} if reply.error is None else reply.error
            await send_json(writer, reply.status, {"error": error}, reply.headers)
            return True
        match reply.fault:
            case "disconnect":
                return False
            case "hang":
                await asyncio.Event().wait()
            case "html":
                await send(writer, 200, b"<!doctype html><html><title>Bad gateway</title></html>", "text/html")
                return True
            case "empty_body":
                await send(writer, 200, b"", "text/event-stream")
                return True
            case _:
                pass
        calls = self._numbered(reply)
        if reply.fault == "not_streaming" or not request.get("stream"):
            await send_json(writer, 200, whole_answer(reply, calls))
            return True
        return await stream_answer(writer, reply, calls)

    def _numbered(self, reply: Reply) -> list[tuple[int | None, str | None, Call]]:
        return [
            (
                number if call.index == -1 else call.index,
                f"call_{next(self._ids)}" if call.id == "auto" else call.id,
                call,
            )
            for number, call in enumerate(reply.tool_calls)
        ]


Numbered = Sequence[tuple[int | None, str | None, Call]]


async def stream_answer(writer: asyncio.StreamWriter, reply: Reply, calls: Numbered) -> bool:
    content_type = "text/plain" if reply.fault == "wrong_content_type" else "text/event-stream"
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    async for event in body_events(reply, calls):
        await send_chunk(writer, event)
        await asyncio.sleep(reply.drip_s)
    match reply.fault:
        case "cut":
            writer.write(b"1000\r\n" + b'data: {"choices": [{"index": 0, "del')
            await writer.drain()
            return False
        case "hang_midway" | "held_open":
            await asyncio.Event().wait()
        case _:
            pass
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def body_events(reply: Reply, calls: Numbered) -> AsyncIterator[bytes]:
    """Give the stream's parts in order, each an SSE event or the fault in its place."""
    fault = reply.fault
    while fault == "pings":
        yield b": ping\n\n"
        await asyncio.sleep(0.01)
    yield sse(delta({"role": "assistant", "content": "" if reply.text else None}))
    for piece in [reply.text] if isinstance(reply.text, str) else reply.text:
        yield sse(delta({"content": piece}))
    for number in itertools.count() if fault == "endless_text" else ():
        yield sse(delta({"content": f"all work and no play, {number}; " * 500}))
    if fault == "huge_line":
        yield b'data: {"choices": [{"index": 0, "delta": {"content": "'
        while True:
            yield b"x" * 65536
    for fragment in call_fragments(calls):
        yield sse(delta({"tool_calls": [fragment]}))
    if fault == "malformed_chunk":
        yield b'data: {"choices": [{"delta": {"content": "oops"\n\n'
    if fault == "error_chunk":
        yield sse({"error": {"message": "the engine crashed", "code": 500}})
    if fault in ("cut", "hang_midway", "no_finish"):
        return
    yield sse(delta({}, finish=reply.finish_reason or ("tool_calls" if calls else "stop")))
    if reply.usage is not None:
        yield sse(
            {
                "id": "r",
                "object": "chat.completion.chunk",
                "model": "stub",
                "choices": [],
                "usage": reply.usage,
            }
        )
    if fault != "no_done":
        yield b"data: [DONE]\n\n"


def call_fragments(calls: Numbered) -> Iterator[dict[str, Any]]:
    """Give each call's opening fragment, then its arguments in pieces; parallel calls interleave."""
    tails = []
    for index, call_id, call in calls:
        text = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
        size = max(1, -(-len(text) // max(1, call.pieces)))
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        first: dict[str, Any] = {"function": {"name": call.name, "arguments": ""}, "type": "function"}
        if call_id is not None:
            first["id"] = call_id
        tail = [{"function": {"arguments": piece}} for piece in pieces]
        if index is not None:
            for fragment in (first, *tail):
                fragment["index"] = index
        tails.append((index, first, tail))
    if len({index for index, _, _ in tails}) == len(tails) and None not in {index for index, _, _ in tails}:
        yield from (first for _, first, _ in tails)
        for row in itertools.zip_longest(*(tail for _, _, tail in tails)):
            yield from (fragment for fragment in row if fragment is not None)
        return
    for _, first, tail in tails:
        yield first
        yield from tail


def whole_answer(reply: Reply, calls: Numbered) -> dict[str, Any]:
    text = reply.text if isinstance(reply.text, str) else "".join(reply.text)
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = [
            {
                "id": call_id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments),
                },
            }
            for _, call_id, call in calls
        ]
    finish = reply.finish_reason or ("tool_calls" if calls else "stop")
    choice = {"index": 0, "message": message, "finish_reason": finish}
    answer: dict[str, Any] = {"id": "r", "object": "chat.completion", "model": "stub", "choices": [choice]}
    return answer if reply.usage is None else {**answer, "usage": reply.usage}


def delta(content: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": content, "finish_reason": finish}
    return {"id": "r", "object": "chat.completion.chunk", "created": 1, "model": "stub", "choices": [choice]}


def sse(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


async def send_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()


async def send_json(
    writer: asyncio.StreamWriter, status: int, data: Any, headers: Mapping[str, str] | None = None
) -> None:
    await send(writer, status, json.dumps(data).encode(), "application/json", headers)


async def send(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    content_type: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()


def shape_problems(request: Mapping[str, Any]) -> list[str]:
    """Say what a strict provider would refuse in a request; empty when it is well formed."""
    problems = [] if isinstance(request.get("model"), str) else ["model must be a string"]
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        return [*problems, "messages must be a non-empty list"]
    ids = [call.get("id") for message in messages for call in message.get("tool_calls") or ()]
    if len(set(ids)) < len(ids):
        problems.append("two tool calls of the conversation share one id")
    waiting: list[str] = []
    for number, message in enumerate(messages):
        problems += [f"messages[{number}]: {text}" for text in message_problems(number, message, waiting)]
    if waiting:
        problems.append(f"unanswered tool calls: {', '.join(waiting)}")
    for number, tool in enumerate(request.get("tools", ())):
        problems += [f"tools[{number}]: {text}" for text in tool_problems(tool)]
    return problems


def message_problems(number: int, message: Mapping[str, Any], waiting: list[str]) -> Iterator[str]:
    role, content = message.get("role"), message.get("content")
    if role != "tool" and waiting:
        yield f"tool calls {', '.join(waiting)} are not answered by the messages that follow them"
        waiting.clear()
    match role:
        case "system" | "user":
            if role == "system" and number:
                yield "a system message may only come first"
            if not (isinstance(content, str) and content):
                yield f"a {role} message needs text"
        case "assistant":
            calls = message.get("tool_calls") or []
            if not content and not calls:
                yield "an assistant message needs text or tool calls"
            for call in calls:
                yield from call_problems(call)
                waiting.append(str(call.get("id")))
        case "tool":
            answered = message.get("tool_call_id")
            if answered not in waiting:
                yield f"a tool message answers {answered!r}, which nobody called"
            else:
                waiting.remove(answered)
            if not isinstance(content, str):
                yield "a tool message needs text"
        case _:
            yield f"unknown role {role!r}"


def call_problems(call: Mapping[str, Any]) -> Iterator[str]:
    function = call.get("function") or {}
    if call.get("type") != "function" or not call.get("id"):
        yield "a tool call needs type function and an id"
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(function.get("name"))):
        yield f"illegal function name {function.get('name')!r}"
    try:
        legal = isinstance(json.loads(function["arguments"]), dict)
    except (KeyError, TypeError, ValueError):
        legal = False
    if not legal:
        yield "function arguments must be the text of a JSON object"


def tool_problems(tool: Mapping[str, Any]) -> Iterator[str]:
    function = tool.get("function") or {}
    if tool.get("type") != "function":
        yield "type must be function"
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(function.get("name"))):
        yield f"illegal name {function.get('name')!r}"
    if (function.get("parameters") or {}).get("type") != "object":
        yield "parameters must be a schema of an object"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    script = [Reply.load(reply) for reply in json.loads(options.script.read_text("utf-8"))]
    with ModelServer(script, port=options.port) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
