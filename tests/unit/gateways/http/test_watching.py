from __future__ import annotations

import asyncio

from akili_cli.core.schedule import store as fires
from akili_cli.core.schedule.base import Ended, FireStatus
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.events import Event
from akili_cli.gateways.http import watching
from tests.fakes.http_app import Gateway
from tests.unit.features.queries.test_store import fire, put

ANN = Principal("ann", Source.HTTP)


async def text_of(gateway: Gateway, after: int = 0) -> str:
    query = await gateway.desk.queries.get("a", ANN)
    return b"".join([piece async for piece in watching.stream(gateway.desk, query, ANN, after)]).decode()


async def test_a_run_of_another_node_is_followed_to_its_end(gateway: Gateway) -> None:
    db = gateway.app.state.db
    await db.write(lambda conn: put(conn, "a", "ann", 0.0))
    reading = asyncio.create_task(text_of(gateway, after=5))
    await asyncio.sleep(0)
    await db.write(lambda conn: fires.end(conn, fire("a"), Ended(status=FireStatus.FAILED, error="it broke"), 1.0))
    said = await reading
    assert said.startswith("event: gap\n")
    assert "it broke" in said
    assert said.rstrip().split("\n\n")[-1].startswith("id: 6\nevent: done\n")


async def test_a_feed_that_broke_off_is_ended_from_what_is_stored(gateway: Gateway) -> None:
    db, live = gateway.app.state.db, gateway.desk.live
    await db.write(lambda conn: put(conn, "a", "ann", 0.0))
    live.publish("a", Event("text", {"text": "half"}))
    live.close("a")
    await db.write(lambda conn: fires.end(conn, fire("a"), Ended(status=FireStatus.INTERRUPTED), 1.0))
    said = await text_of(gateway)
    assert [line for line in said.splitlines() if line.startswith("event")] == [
        "event: text",
        "event: error",
        "event: done",
    ]


async def test_a_node_that_ends_leaves_the_run_to_be_followed_elsewhere(gateway: Gateway) -> None:
    await gateway.app.state.db.write(lambda conn: put(conn, "a", "ann", 0.0))
    gateway.desk.live.open("a")
    gateway.desk.live.close_all()
    assert await text_of(gateway) == ""
    query = await gateway.desk.queries.get("a", ANN)
    now, cards = await watching.answer_or_approval(gateway.desk, query, ANN)
    assert (now.ended, cards) == (False, [])
    assert await watching.waiting(gateway.desk, query) == []


async def test_a_call_that_was_ruled_on_at_once_is_not_waited_for(gateway: Gateway) -> None:
    db, live = gateway.app.state.db, gateway.desk.live
    await db.write(lambda conn: put(conn, "a", "ann", 0.0))
    live.publish("a", Event("approval.requested", {}))
    query = await gateway.desk.queries.get("a", ANN)
    reading = asyncio.create_task(watching.answer_or_approval(gateway.desk, query, ANN))
    await db.write(lambda conn: fires.end(conn, fire("a"), Ended(status=FireStatus.OK), 1.0))
    live.publish("a", Event("run.finished", {}))
    now, cards = await reading
    assert (now.ended, cards) == (True, [])
