"""Open connections that wait to be used again: how many at most, and for how long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """A connection, as far as keeping it is concerned."""

    @property
    def closed(self) -> bool:
        """Whether it can no longer be used."""

    def close(self) -> None:
        """Let go of it."""


C = TypeVar("C", bound=Closable)


@dataclass(slots=True, eq=False)
class Lent(Generic[C]):
    """A connection in use; ``fresh`` says that it was opened for this use."""

    connection: C
    opened_at: float
    fresh: bool


class IdleConnections(Generic[C]):
    """Keeps at most ``limit`` unused connections, none longer than ``lifetime_s`` after it was opened.

    How many are in use at once is the caller's business. The one used last is lent first.
    """

    def __init__(
        self, connect: Callable[[], C], *, limit: int, lifetime_s: float, monotonic: Callable[[], float]
    ) -> None:
        """Keep the parts; nothing is opened yet."""
        self._connect = connect
        self._limit = limit
        self._lifetime_s = lifetime_s
        self._monotonic = monotonic
        self._gate = threading.Lock()
        self._idle: list[Lent[C]] = []
        self._over = False

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._idle)

    def take(self) -> Lent[C]:
        """Lend the one used last, or open one; raises what opening raises."""
        self._drop(self._old)
        with self._gate:
            if self._idle:
                return self._idle.pop()
        return self.open()

    def open(self) -> Lent[C]:
        """Lend one that was just opened; raises what opening raises."""
        return Lent(self._connect(), self._monotonic(), fresh=True)

    def give(self, lent: Lent[C]) -> None:
        """Take one back; it is closed when it is broken or too old, or when enough are waiting."""
        lent.fresh = False
        with self._gate:
            keep = not (self._over or lent.connection.closed or self._old(lent) or len(self._idle) >= self._limit)
            if keep:
                self._idle.append(lent)
        if not keep:
            lent.connection.close()
        self._drop(self._old)

    def forget(self) -> None:
        """Close all that wait: one of them was found dead, so the others probably are."""
        self._drop(lambda _lent: True)

    def close(self) -> None:
        """Close all that wait, and from now on what comes back."""
        self._over = True
        self.forget()

    def _old(self, lent: Lent[C]) -> bool:
        return self._monotonic() - lent.opened_at >= self._lifetime_s

    def _drop(self, unwanted: Callable[[Lent[C]], bool]) -> None:
        with self._gate:
            dropped = [lent for lent in self._idle if unwanted(lent)]
            if dropped:
                self._idle = [lent for lent in self._idle if lent not in dropped]
        for lent in dropped:
            lent.connection.close()
