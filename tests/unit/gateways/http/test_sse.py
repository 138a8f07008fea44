from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message

from akili_cli.core.agent.report import RunReport
from akili_cli.domain.calls import Status
from akili_cli.domain.events import Event
from akili_cli.domain.messages import Usage
from akili_cli.features.queries.live import Frame, Notice
from akili_cli.gateways.http import sse
from akili_cli.gateways.http.sse import EventStream


def parsed(text: bytes) -> list[dict[str, Any]]:
    """Read frames: id, event and data of each."""
    found = []
    for block in text.decode().strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        found.append({**lines, "data": json.loads(lines["data"])})
    return found


def run_of(status: Status, **more: Any) -> dict[str, object]:
    return RunReport(status, "so", "c" * 16, "r", "talk", usage=Usage(3, 4), **more).as_dict()


@pytest.mark.parametrize(
    ("event", "name", "expected"),
    [
        (Event("text", {"text": "so\nit"}), "text", {"content": "so\nit"}),
        (Event("tool.intent", {"tool": "shell_exec"}), "tool_start", {"tool": "shell_exec"}),
        (Event("tool.result", {"tool": "x", "status": "ok"}), "tool_result", {"success": True}),
        (Event("tool.result", {"tool": "x", "status": "denied"}), "tool_result", {"success": False}),
        (
            Event("approval.requested", {"id": "a1", "tool": "x", "risk": "high", "arguments": {"path": "/x"}}),
            "approval_required",
            {"approval_id": "a1", "risk_level": "high", "action": 'x {"path": "/x"}', "message": sse.RULE_HINT},
        ),
        (Event("run.started", {"run_id": "r"}), "run_started", {"run_id": "r"}),
    ],
)
def test_each_event_is_a_frame_with_its_name_its_number_and_its_data(
    event: Event, name: str, expected: dict[str, object]
) -> None:
    (frame,) = parsed(sse.written(Frame(7, event)))
    assert (frame["id"], frame["event"]) == ("7", name)
    assert frame["data"].items() >= {"type": name, "event": event.name, **expected}.items()


def test_the_end_of_a_good_run_is_done_with_ids_and_tokens() -> None:
    (frame,) = parsed(sse.written(Frame(9, Event("run.finished", run_of(Status.PLANNED)))))
    data = frame["data"]
    assert (frame["event"], data["run_id"], data["conversation_id"], data["tokens_used"]) == ("done", "r", "talk", 7)
    assert data["run"]["schema"] == "akili.run/1"


def test_the_end_of_any_other_run_is_an_error_and_then_done() -> None:
    error, done = parsed(sse.end(run_of(Status.FAILED, error="it broke"), 9))
    assert (error["event"], error["id"], error["data"]["content"]) == ("error", "8", "it broke")
    assert (done["event"], done["id"], done["data"]["status"]) == ("done", "9", "failed")


def test_why_a_run_failed_is_its_error_or_what_was_refused_or_its_status() -> None:
    assert sse.why({"error": "it broke", "status": "failed"}) == "it broke"
    assert sse.why({"error": None, "denials": [{"because": "Refused: no"}], "status": "denied"}) == "Refused: no"
    assert sse.why({"error": None, "denials": [], "status": "timeout"}) == "the run ended as timeout"


def test_a_gap_is_an_event_and_the_rest_are_comments() -> None:
    assert parsed(sse.noticed(Notice.GAP))[0]["event"] == "gap"
    assert b"id:" not in sse.noticed(Notice.GAP)
    assert [sse.noticed(one) for one in (Notice.IDLE, Notice.CLOSING)] == [b": ping\n\n", b": shutdown\n\n"]


async def pieces(*given: bytes, hold: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece
    if hold is not None:
        await hold.wait()


async def served(stream: EventStream, gone: asyncio.Event) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message.get("body") == b"last":
            gone.set()

    await stream({"type": "http"}, receive, send)
    return sent


async def test_a_stream_is_sent_to_its_end() -> None:
    start, *rest = await served(EventStream(pieces(b"a", b"b")), asyncio.Event())
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers[b"cache-control"] == b"no-store"
    assert b"content-length" not in headers
    assert [(one["body"], one["more_body"]) for one in rest] == [(b"a", True), (b"b", True), (b"", False)]


@pytest.mark.parametrize("wants", [True, False])
async def test_a_reader_that_leaves_is_noticed_at_once(wants: bool) -> None:
    told = asyncio.Event()

    async def left() -> None:
        told.set()

    stream = EventStream(pieces(b"last", hold=asyncio.Event()), left if wants else None)
    sent = await served(stream, asyncio.Event())
    assert [one.get("body") for one in sent] == [None, b"last"]
    assert told.is_set() is wants


async def test_what_breaks_in_a_stream_is_not_hidden() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise ValueError("it broke")

    with pytest.raises(ValueError, match="it broke"):
        await served(EventStream(broken()), asyncio.Event())
