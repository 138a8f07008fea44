"""``Idempotency-Key``: a request that is sent again is answered again, and what it asked for is done once."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header, Request
from starlette.responses import Response

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.calls import canonical_json
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import AkiliError, AlreadyBegunError, ConflictError, KeyReusedError
from akili_cli.gateways.http import idempotency_store as store
from akili_cli.gateways.http.auth import Caller
from akili_cli.gateways.http.errors import error_response

KEPT_S = 86_400.0
CUT_OFF_S = 900.0
"""A request that was not answered for so long belongs to a process that is gone."""

RETRY_AFTER_S = 1
REPLAYED = "Idempotency-Replayed"
REPLAYED_HEADER: dict[str, Any] = {
    REPLAYED: {"description": "`true` when this is the answer to an earlier request", "schema": {"type": "string"}}
}
_KEPT_HEADERS = ("etag", "location", "content-type")
_SERVER = 500

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="a name of the caller's for this request: sent again with it within a day, it is not done again",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replays:
    """The answers of a day, by user, route and key."""

    db: Database
    org: str
    clock: Clock
    redactor: Redactor

    async def once(
        self,
        request: Request,
        who: Caller,
        key: str | None,
        asked: Mapping[str, object],
        act: Callable[[], Awaitable[Response]],
    ) -> Response:
        """Do what was asked for, under a key once. ``asked`` is the body as it was understood.

        1. The key is kept before anything is done. 2. What was answered is kept, and given again to the same request.
        3. A refusal did nothing, so the key is free again; whatever else went wrong leaves it with nobody knowing how
        far it came, and it is not done again.

        Raises ``KeyReusedError`` for a key that was used for something else, ``AlreadyBegunError`` for one whose
        request was cut off; while that goes on the answer is 409 with ``Retry-After``.
        """
        if key is None:
            return await act()
        slot = store.Slot(org=self.org, user=who.principal.user, route=f"{request.method} {request.url.path}", key=key)
        known = await self._claim(slot, hashlib.sha256(canonical_json(asked).encode()).hexdigest())
        if known is not None:
            return self._again(known)
        try:
            answer = await act()
        except AkiliError as error:
            forget = store.release if error.http_status < _SERVER else store.give_up
            await self.db.write(lambda conn: forget(conn, slot))
            raise
        except Exception:
            await self.db.write(lambda conn: store.give_up(conn, slot))
            raise
        headers = {name: value for name, value in answer.headers.items() if name in _KEPT_HEADERS}
        body = bytes(answer.body).decode()
        await self.db.write(lambda conn: store.answer(conn, slot, answer.status_code, headers, body), durable=True)
        return answer

    async def _claim(self, slot: store.Slot, asked: str) -> store.Kept | None:
        now = self.clock.now()

        def work(conn: Connection) -> store.Kept | None:
            store.forget(conn, self.org, now - KEPT_S)
            return None if store.claim(conn, slot, asked, now) else store.get(conn, slot)

        known = await self.db.write(work, durable=True)
        if known is None:
            return None
        if known.asked != asked:
            raise KeyReusedError(
                "this Idempotency-Key was used for something else", hint="use a new key for each new request"
            )
        if known.broken or (known.status is None and now - known.created_at > CUT_OFF_S):
            raise AlreadyBegunError(
                "an earlier request with this Idempotency-Key was cut off, and nobody knows how far it came",
                hint="see what there is now, and use a new key to do it again",
            )
        return known

    def _again(self, known: store.Kept) -> Response:
        if known.status is None:
            running = ConflictError("the request with this Idempotency-Key is still under way", hint="ask again soon")
            answer: Response = error_response(running, self.redactor)
            answer.headers["Retry-After"] = str(RETRY_AFTER_S)
            return answer
        return Response(known.body, known.status, headers={**known.headers, REPLAYED: "true"})
