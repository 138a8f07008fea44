"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import datetime


class FakeClock:
    def __init__(self, at: str = "2026-02-17T12:00:00+00:00") -> None:
        self._now = datetime.fromisoformat(at).timestamp()

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._now += seconds

    def move(self, seconds: float) -> None:
        self._now += seconds
