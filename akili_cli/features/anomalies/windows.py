"""Sliding windows of bounded size: what lies further back than the window, or is too much, is forgotten."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

W = TypeVar("W")
MAX_SUBJECTS = 500
MAX_EVENTS = 1000
SLOTS = 10
EARLIER_WINDOWS = 12


class BySubject(Generic[W]):
    """One window for each of a bounded number of subjects; the one that was quiet longest goes first."""

    def __init__(self, make: Callable[[], W], limit: int = MAX_SUBJECTS) -> None:
        """Begin with none."""
        self._make = make
        self._limit = limit
        self._windows: OrderedDict[str, W] = OrderedDict()

    def of(self, subject: str) -> W:
        """Give a subject's window, a new one if need be."""
        window = self._windows.pop(subject, None)
        if window is None:
            window = self._make()
            if len(self._windows) >= self._limit:
                self._windows.popitem(last=False)
        self._windows[subject] = window
        return window

    def __len__(self) -> int:
        """Count the subjects that are remembered."""
        return len(self._windows)


class Outcomes:
    """How often something went well or not."""

    def __init__(self, window_s: float) -> None:
        """Begin with nothing."""
        self._window_s = window_s
        self._events: deque[tuple[float, bool]] = deque(maxlen=MAX_EVENTS)

    def add(self, at: float, *, failed: bool) -> tuple[int, int]:
        """Take one in; give how many of those in the window failed, and how many there are."""
        self._events.append((at, failed))
        while self._events[0][0] <= at - self._window_s:
            self._events.popleft()
        return sum(failed for _, failed in self._events), len(self._events)


class Times:
    """The last few times of something; ``full`` once as many as allowed fall into the window."""

    def __init__(self, window_s: float, count: int) -> None:
        """Begin with none."""
        self._window_s = window_s
        self._times: deque[float] = deque(maxlen=count)

    def add(self, at: float) -> bool:
        """Take one in; tell whether that makes enough of them within the window."""
        self._times.append(at)
        return len(self._times) == self._times.maxlen and self._times[0] > at - self._window_s


class Spending:
    """A user's spending, a tenth of a window at a time, over the window and the twelve before it."""

    def __init__(self, window_s: float) -> None:
        """Begin with nothing."""
        self._slot_s = window_s / SLOTS
        self._first: int | None = None
        self._slots: dict[int, float] = {}

    def add(self, at: float, usd: float) -> tuple[float, float | None]:
        """Take one in; give what the window holds, and the average of those before it (None: there was none)."""
        slot = int(at // self._slot_s)
        self._first = slot if self._first is None else self._first
        self._slots[slot] = self._slots.get(slot, 0.0) + usd
        oldest = slot - SLOTS * (EARLIER_WINDOWS + 1)
        self._slots = {number: spent for number, spent in self._slots.items() if number > oldest}
        now = sum(spent for number, spent in self._slots.items() if number > slot - SLOTS)
        before = min(slot - SLOTS - self._first + 1, SLOTS * EARLIER_WINDOWS)
        if before < SLOTS:
            return now, None
        return now, (sum(self._slots.values()) - now) / (before / SLOTS)


class Yeses:
    """How often one person said yes in a row, each time a moment after the one before."""

    def __init__(self, window_s: float, quick_s: float) -> None:
        """Begin with none."""
        self._window_s = window_s
        self._quick_s = quick_s
        self._times: deque[float] = deque(maxlen=MAX_EVENTS)
        self._last: float | None = None
        self._plan = ""

    def add(self, at: float, plan: str = "") -> int:
        """Take one in; give how many quick ones there are in a row. The steps of one plan are one yes."""
        same_plan = plan != "" and plan == self._plan
        quick = self._last is not None and at - self._last <= self._quick_s
        self._last, self._plan = at, plan
        if not quick:
            self._times.clear()
        if not same_plan or not self._times:
            self._times.append(at)
        while self._times[0] <= at - self._window_s:
            self._times.popleft()
        return len(self._times)

    def end(self) -> None:
        """Begin anew: somebody who says no reads."""
        self._times.clear()
        self._last = None
