"""What the runs of this process are doing right now, for whoever watches; kept once, bounded, for any number of readers."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from akili_cli.domain.events import Event

MAX_EVENTS = 2000
MAX_BYTES = 1_048_576
MAX_ENDED = 200
LAST = "run.finished"


@dataclass(frozen=True, slots=True)
class Frame:
    """One event in its place; ``number`` counts from 1. ``event`` None says that frames before it are gone."""

    number: int
    event: Event | None
    size: int = 0


@dataclass(slots=True)
class _Feed:
    frames: deque[Frame] = field(default_factory=deque)
    bytes: int = 0
    last: int = 0
    ended: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class LiveRuns:
    """The feeds of this process's runs. A reader holds nothing but its place, however slow it is."""

    def __init__(self, *, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES, max_ended: int = MAX_ENDED) -> None:
        """Keep that much of each run, and that many runs that have ended."""
        self._feeds: OrderedDict[str, _Feed] = OrderedDict()
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._max_ended = max_ended

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
            self._end(run_id, feed)
        self._wake(feed)

    def close(self, run_id: str) -> None:
        """End a feed whose run ended without saying so."""
        feed = self._feeds.get(run_id)
        if feed is not None and not feed.ended:
            self._end(run_id, feed)
            self._wake(feed)

    def knows(self, run_id: str) -> bool:
        """Tell whether anything is kept of a run."""
        return run_id in self._feeds

    async def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Frame]:
        """Yield what comes after a frame's number, until the run ends. Frames that are gone show as one without event."""
        feed = self._feeds.get(run_id)
        while feed is not None:
            first = feed.frames[0].number if feed.frames else feed.last + 1
            if after + 1 < first and after < feed.last:
                after = first - 1
                yield Frame(after, None)
                continue
            if after < feed.last:
                frame = feed.frames[after + 1 - first]
                after = frame.number
                yield frame
                continue
            if feed.ended:
                return
            await feed.changed.wait()

    def _end(self, run_id: str, feed: _Feed) -> None:
        feed.ended = True
        self._feeds.move_to_end(run_id)
        ended = [known for known, one in self._feeds.items() if one.ended]
        for old in ended[: -self._max_ended]:
            del self._feeds[old]

    @staticmethod
    def _wake(feed: _Feed) -> None:
        changed, feed.changed = feed.changed, asyncio.Event()
        changed.set()
