"""What the runs of this process are doing right now, for whoever watches; kept once, for any number of readers."""

from __future__ import annotations

import asyncio
import enum
import json
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from akili_cli.domain.events import Event, EventName

MAX_EVENTS = 2000
MAX_BYTES = 1_048_576
MAX_ENDED = 200
IDLE_S = 15.0
LAST: EventName = "run.finished"


class Notice(enum.Enum):
    """What a reader is told beside the events: nothing came for a while; frames before the next are gone; we close."""

    IDLE = "ping"
    GAP = "gap"
    CLOSING = "shutdown"


@dataclass(frozen=True, slots=True)
class Frame:
    """One event in its place; ``number`` counts from 1."""

    number: int
    event: Event
    size: int = 0


@dataclass(slots=True)
class _Feed:
    frames: deque[Frame] = field(default_factory=deque)
    bytes: int = 0
    last: int = 0
    ended: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def first(self) -> int:
        return self.frames[0].number if self.frames else self.last + 1

    def wake(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            return False
        return True


class LiveRuns:
    """The feeds of this process's runs. A reader holds nothing but its place, however slow it is."""

    def __init__(self, *, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES, max_ended: int = MAX_ENDED) -> None:
        """Keep that much of each run, and that many runs that have ended."""
        self._feeds: OrderedDict[str, _Feed] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._max_ended = max_ended
        self._closing = False
        self.closed = False

    def open(self, run_id: str) -> None:
        """Make a run known; one that is known already goes on."""
        self._feeds.setdefault(run_id, _Feed())

    def publish(self, run_id: str, event: Event) -> None:
        """Add an event; after ``run.finished`` the feed is over."""
        self.open(run_id)
        feed = self._feeds[run_id]
        size = len(json.dumps(event.data, default=str))
        feed.last += 1
        feed.frames.append(Frame(feed.last, event, size))
        feed.bytes += size
        while len(feed.frames) > 1 and (len(feed.frames) > self._max_events or feed.bytes > self._max_bytes):
            feed.bytes -= feed.frames.popleft().size
        if event.name == LAST:
            self.close(run_id)
        else:
            feed.wake()

    def close(self, run_id: str) -> None:
        """End a feed, also of a run that did not say how it ended."""
        feed = self._feeds.get(run_id)
        if feed is None or feed.ended:
            return
        feed.ended = True
        feed.wake()
        self._ended[run_id] = None
        while len(self._ended) > self._max_ended:
            old, _ = self._ended.popitem(last=False)
            del self._feeds[old]

    def begin_closing(self) -> None:
        """Tell every reader, once, that this process is about to end; the runs themselves go on for now."""
        self._closing = True
        for feed in self._feeds.values():
            feed.wake()

    def close_all(self) -> None:
        """End every feed: nothing more comes from here, and ``closed`` says so."""
        self.closed = True
        for run_id in list(self._feeds):
            self.close(run_id)

    def knows(self, run_id: str) -> bool:
        """Tell whether anything is kept of a run."""
        return run_id in self._feeds

    def events(self, run_id: str) -> tuple[Event, ...]:
        """Give what is kept of a run, oldest first."""
        feed = self._feeds.get(run_id)
        return () if feed is None else tuple(frame.event for frame in feed.frames)

    async def follow(self, run_id: str, after: int = 0, *, idle_s: float = IDLE_S) -> AsyncIterator[Frame | Notice]:
        """Yield what comes after a frame's number, until the run ends, and what there is to notice meanwhile.

        A place that this process never reached, or whose next frames are gone, is a gap.
        """
        feed, told = self._feeds.get(run_id), False
        if feed is not None and after > feed.last:
            after = feed.first - 1
            yield Notice.GAP
        while feed is not None:
            if self._closing and not told:
                told = True
                yield Notice.CLOSING
            if after + 1 < feed.first:
                after = feed.first - 1
                yield Notice.GAP
            elif after < feed.last:
                after += 1
                yield feed.frames[after - feed.first]
            elif feed.ended:
                return
            elif not await feed.wait(idle_s):
                yield Notice.IDLE
