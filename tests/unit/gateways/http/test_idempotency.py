from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.domain.calls import Principal
from akili_cli.domain.errors import AkiliError, AlreadyBegunError, KeyReusedError, PolicyDeniedError, StorageError
from akili_cli.gateways.http.auth import Caller
from akili_cli.gateways.http.idempotency import CUT_OFF_S, KEPT_S, REPLAYED, Replays
from tests.fakes.clock import FakeClock

ANN, BEN = Caller(Principal("ann"), "k1"), Caller(Principal("ben"), "k2")


class Effect:
    """Counts how often it happened."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.count = 0
        self.fails = fails

    async def __call__(self) -> Response:
        self.count += 1
        if self.fails is not None:
            raise self.fails
        return JSONResponse({"count": self.count}, 201, headers={"ETag": '"x"', "Location": "/x", "X-Other": "y"})


def request(path: str = "/v1/things") -> Request:
    return Request({"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []})


@pytest.fixture
async def replays(tmp_path: Path) -> AsyncIterator[Replays]:
    db = await open_sqlite(tmp_path / "a.db")
    yield Replays(db=db, org="default", clock=FakeClock(), redactor=Redactor())
    await db.close()


async def test_the_same_request_is_done_once_and_answered_again_with_what_was_answered(replays: Replays) -> None:
    act = Effect()
    first = await replays.once(request(), ANN, "k", {"a": 1, "b": 2}, act)
    again = await replays.once(request(), ANN, "k", {"b": 2, "a": 1}, act)
    assert (act.count, again.status_code, again.body) == (1, 201, first.body)
    assert (again.headers["etag"], again.headers["location"], again.headers[REPLAYED]) == ('"x"', "/x", "true")
    assert REPLAYED not in first.headers
    assert "x-other" not in again.headers


async def test_without_a_key_for_other_users_and_on_other_routes_it_is_done_each_time(replays: Replays) -> None:
    act = Effect()
    for key, who, path in (("k", ANN, "/a"), ("k", BEN, "/a"), ("k", ANN, "/b"), (None, ANN, "/a"), (None, ANN, "/a")):
        answer = await replays.once(request(path), who, key, {}, act)
        assert REPLAYED not in answer.headers
    assert act.count == 5


async def test_a_key_that_was_used_for_something_else_is_refused_by_name(replays: Replays) -> None:
    act = Effect()
    await replays.once(request(), ANN, "k", {"a": 1}, act)
    with pytest.raises(KeyReusedError) as caught:
        await replays.once(request(), ANN, "k", {"a": 2}, act)
    assert (caught.value.code, caught.value.http_status, act.count) == ("idempotency_key_reused", 409, 1)


async def test_while_it_is_under_way_the_same_request_is_told_to_ask_again(replays: Replays) -> None:
    goes_on, act = asyncio.Event(), Effect()

    async def slowly() -> Response:
        await goes_on.wait()
        return await act()

    under_way = asyncio.create_task(replays.once(request(), ANN, "k", {}, slowly))
    while True:
        await asyncio.sleep(0)
        if await replays.db.read(lambda c: c.execute("SELECT 1 AS n FROM idempotency_keys")):
            break
    answer = await replays.once(request(), ANN, "k", {}, act)
    assert (answer.status_code, answer.headers["retry-after"], act.count) == (409, "1", 0)
    assert json.loads(bytes(answer.body))["code"] == "conflict"
    goes_on.set()
    assert (await under_way).status_code == 201
    assert act.count == 1


async def test_after_a_refusal_the_key_is_free_again(replays: Replays) -> None:
    with pytest.raises(PolicyDeniedError):
        await replays.once(request(), ANN, "k", {"a": 1}, Effect(PolicyDeniedError("no")))
    assert (await replays.once(request(), ANN, "k", {"a": 2}, Effect())).status_code == 201


@pytest.mark.parametrize("error", [StorageError("gone"), ValueError("a bug")], ids=["storage", "bug"])
async def test_after_a_failure_nobody_knows_how_far_it_came_and_it_is_not_done_again(
    replays: Replays, error: Exception
) -> None:
    act = Effect(error)
    with pytest.raises(type(error)):
        await replays.once(request(), ANN, "k", {}, act)
    with pytest.raises(AlreadyBegunError):
        await replays.once(request(), ANN, "k", {}, act)
    assert act.count == 1


async def test_what_a_killed_process_left_is_not_done_again_and_is_told_as_cut_off(replays: Replays) -> None:
    async def killed() -> Response:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await replays.once(request(), ANN, "k", {}, killed)
    act = Effect()
    assert (await replays.once(request(), ANN, "k", {}, act)).status_code == 409
    assert isinstance(replays.clock, FakeClock)
    replays.clock.move(CUT_OFF_S + 1)
    with pytest.raises(AlreadyBegunError):
        await replays.once(request(), ANN, "k", {}, act)
    assert act.count == 0


async def test_after_a_day_a_key_is_as_good_as_new(replays: Replays) -> None:
    act = Effect()
    await replays.once(request(), ANN, "k", {"a": 1}, act)
    assert isinstance(replays.clock, FakeClock)
    replays.clock.move(KEPT_S - 1)
    with pytest.raises(AkiliError):
        await replays.once(request(), ANN, "k", {"a": 2}, act)
    replays.clock.move(2)
    assert (await replays.once(request(), ANN, "k", {"a": 2}, act)).status_code == 201
    assert act.count == 2
