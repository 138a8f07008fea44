"""Event streams: how a run's events are written as frames, and a response that notices when its reader is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from akili_cli.domain.calls import Status
from akili_cli.domain.events import Event
from akili_cli.features.queries.live import LAST, Frame, Notice

NAMES = {
    "text": "text",
    "tool.intent": "tool_start",
    "tool.result": "tool_result",
    "approval.requested": "approval_required",
}
"""What some events are called in a stream; the others keep their name, with _ for the dot."""

GOOD = (Status.OK, Status.PLANNED)
RULE_HINT = 'a person rules on it: POST /v1/approve {"approval_id": ..., "decision": "approve" or "deny"}'


def written(frame: Frame) -> bytes:
    """Write an event as its frames: one, or two for the end of a run that did not go well."""
    event = frame.event
    if event.name == LAST:
        return end(event.data, frame.number)
    name = NAMES.get(event.name, event.name.replace(".", "_"))
    return _frame(name, {"event": event.name, **event.data, **_more(event)}, frame.number)


def end(run: Mapping[str, object], number: int) -> bytes:
    """Write the end of a run from its ``akili.run/1`` object.

    The error before it carries the number before: whoever loses the stream between the two gets both again.
    """
    done = {
        "event": LAST,
        "status": run["status"],
        "correlation_id": run["correlation_id"],
        "conversation_id": run["conversation_id"],
        "run_id": run["run_id"],
        "tokens_used": tokens_of(run),
        "run": run,
    }
    failed = b""
    if run["status"] not in GOOD:
        told = {"event": LAST, "content": why(run), "status": run["status"]}
        failed = _frame("error", told, number - 1)
    return failed + _frame("done", done, number)


def tokens_of(run: Mapping[str, object]) -> int:
    """Give what a run used, input and output."""
    usage = run["usage"]
    return sum(usage[side] for side in ("input_tokens", "output_tokens")) if isinstance(usage, dict) else 0


def why(run: Mapping[str, object]) -> str:
    """Say why a run did not end well."""
    denials = run.get("denials")
    said = denials[0]["because"] if isinstance(denials, list) and denials else ""
    return str(run.get("error") or said or f"the run ended as {run['status']}")


def approval(card: Mapping[str, object]) -> dict[str, object]:
    """Give the fields by which an answer names a held call."""
    action = f"{card['tool']} {json.dumps(card['arguments'], default=str)}"
    return {
        "approval_id": card["id"],
        "action": action,
        "tool": card["tool"],
        "risk_level": card["risk"],
        "message": RULE_HINT,
    }


def noticed(notice: Notice) -> bytes:
    """Write what a reader is told beside the events."""
    if notice is Notice.GAP:
        return _frame("gap", {"content": "events before the next one are no longer kept"}, None)
    return f": {notice.value}\n\n".encode()  # a comment: no program reads it, and the connection stays open


class EventStream(Response):
    """A stream of frames. ``on_gone`` is called once if its reader leaves before its end."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[bytes], on_gone: Callable[[], Awaitable[None]] | None = None) -> None:
        """Keep what is to be sent."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._content = content
        self._on_gone = on_gone

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, or until the reader is gone; a slow one is waited for."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        sending, leaving = asyncio.ensure_future(self._send(send)), asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            elif self._on_gone is not None:
                await self._on_gone()
        finally:
            sending.cancel()
            leaving.cancel()

    async def _send(self, send: Send) -> None:
        async for piece in self._content:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _more(event: Event) -> dict[str, object]:
    match event.name:
        case "text":
            return {"content": event.data["text"]}
        case "tool.result":
            return {"success": event.data["status"] in GOOD}
        case "approval.requested":
            return approval(event.data)
        case _:
            return {}


def _frame(name: str, data: Mapping[str, object], number: int | None) -> bytes:
    body = json.dumps({"type": name, **data}, default=str, separators=(",", ":"))
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {body}\n\n".encode()
