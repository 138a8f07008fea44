from __future__ import annotations

import asyncio

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.calls import Principal
from akili_cli.gateways.http.auth import Caller
from akili_cli.gateways.http.idempotency import REPLAYED, Replays
from tests.contract.places import OpenDatabase
from tests.fakes.clock import FakeClock

ANN = Caller(Principal("ann"), "k1")


async def test_of_many_equal_requests_on_two_nodes_at_once_one_is_done(open_database: OpenDatabase) -> None:
    clock, done = FakeClock(), 0
    nodes = [Replays(db=await open_database(), org="default", clock=clock, redactor=Redactor()) for _ in range(2)]
    request = Request({"type": "http", "method": "POST", "path": "/v1/things", "query_string": b"", "headers": []})

    async def act() -> Response:
        nonlocal done
        done += 1
        return JSONResponse({"done": done}, 201)

    def sent(number: int) -> asyncio.Task[Response]:
        return asyncio.create_task(nodes[number % 2].once(request, ANN, "k", {"a": 1}, act))

    answers = await asyncio.gather(*(sent(number) for number in range(8)))
    assert done == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    again = await nodes[0].once(request, ANN, "k", {"a": 1}, act)
    assert (again.status_code, again.headers[REPLAYED], done) == (201, "true", 1)
