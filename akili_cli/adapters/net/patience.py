"""A server's side of one connection that does not wait for ever: who sends a request drop by drop is cut off."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from akili_cli.domain.ids import new_correlation_id

HEAD_TIMEOUT_S = 10.0


class PatientProtocol(H11Protocol):
    """HTTP/1.1 whose request heads must arrive within ``head_timeout_s`` seconds, from the first byte on.

    The same time has what is left of a body once the answer is out. A connection between two requests is the
    server's keep-alive's business, a body before its answer the application's.
    """

    head_timeout_s = HEAD_TIMEOUT_S
    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._watch(waiting=True)

    def data_received(self, data: bytes) -> None:
        """Take what arrived, and wait on only where a part is still missing."""
        super().data_received(data)
        self._watch(waiting=self._is_partial())

    def on_response_complete(self) -> None:
        """Let the rest of a body that nobody read arrive, for a while."""
        super().on_response_complete()
        self._watch(waiting=self._is_partial())

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._watch(waiting=False)
        super().connection_lost(exc)

    def send_400_response(self, _msg: str) -> None:
        """Answer what is no HTTP in the shape of all errors, unless an answer has begun."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        request_id = new_correlation_id()
        said = {"error": "this is not a valid HTTP request", "code": "bad_request", "hint": ""}
        body = json.dumps({**said, "correlation_id": request_id}, separators=(",", ":")).encode()
        headers: list[tuple[str, Any]] = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("X-Request-Id", request_id),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _is_partial(self) -> bool:
        """Tell whether a head, or what is left of a body after its answer, has begun and not ended."""
        if self.conn.their_state is h11.IDLE:
            return bool(self.conn.trailing_data[0])
        return self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE

    def _watch(self, *, waiting: bool) -> None:
        if not waiting and self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        elif waiting and self._overdue is None:
            self._overdue = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _give_up(self) -> None:
        self._overdue = None
        self.transport.close()


def patient(head_timeout_s: float) -> type[PatientProtocol]:
    """Give the protocol with another patience."""
    return type("PatientProtocol", (PatientProtocol,), {"head_timeout_s": head_timeout_s})
