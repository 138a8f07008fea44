from __future__ import annotations

import asyncio

from akili_cli.domain.events import Event
from akili_cli.features.queries.live import Frame, LiveRuns, Notice


def text(said: str) -> Event:
    return Event("text", {"text": said})


END = Event("run.finished", {})


async def all_of(live: LiveRuns, after: int = 0) -> list[object]:
    """Read a feed to its end: what was said, or what there was to notice."""
    return [
        one.event.data.get("text", one.event.name) if isinstance(one, Frame) else one
        async for one in live.follow("r", after)
    ]


async def test_every_reader_gets_everything_in_order_up_to_the_end() -> None:
    live = LiveRuns()
    live.open("r")
    readers = [asyncio.create_task(all_of(live)) for _ in range(2)]
    for said in ("a", "b"):
        await asyncio.sleep(0)
        live.publish("r", text(said))
    live.publish("r", END)
    assert [await reader for reader in readers] == [["a", "b", "run.finished"]] * 2
    assert await all_of(live, after=2) == ["run.finished"]
    assert [event.name for event in live.events("r")] == ["text", "text", "run.finished"]


async def test_what_was_dropped_is_a_gap_and_so_is_a_place_never_reached() -> None:
    live = LiveRuns(max_events=2)
    for said in "abcd":
        live.publish("r", text(said))
    live.close("r")
    assert await all_of(live) == [Notice.GAP, "c", "d"]
    assert await all_of(live, after=1) == [Notice.GAP, "c", "d"]
    assert await all_of(live, after=2) == ["c", "d"]
    assert await all_of(live, after=9) == [Notice.GAP, "c", "d"]


async def test_a_feed_keeps_so_many_bytes_and_at_least_the_last_event() -> None:
    live = LiveRuns(max_bytes=100)
    for said in ("a" * 60, "b" * 60, "c" * 500):
        live.publish("r", text(said))
    live.close("r")
    assert await all_of(live) == [Notice.GAP, "c" * 500]


async def test_a_silent_feed_says_so_every_now_and_then() -> None:
    live = LiveRuns()
    live.open("r")
    reader = live.follow("r", idle_s=0.001)
    assert await anext(reader) is Notice.IDLE
    assert await anext(reader) is Notice.IDLE
    live.close("r")
    assert [one async for one in reader] == []


async def test_readers_are_told_once_that_it_closes_and_then_everything_ends() -> None:
    live = LiveRuns()
    live.open("r")
    reader = asyncio.create_task(all_of(live))
    await asyncio.sleep(0)
    live.begin_closing()
    await asyncio.sleep(0)
    live.publish("r", text("last words"))
    await asyncio.sleep(0)
    live.close_all()
    assert await reader == [Notice.CLOSING, "last words"]
    assert live.closed


async def test_only_so_many_runs_that_ended_are_kept() -> None:
    live = LiveRuns(max_ended=2)
    for run in "abc":
        live.publish(run, END)
        live.close(run)
    assert [live.knows(run) for run in "abc"] == [False, True, True]
    assert live.events("a") == ()
    assert [one async for one in live.follow("a")] == []
