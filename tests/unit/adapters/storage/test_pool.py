from __future__ import annotations

import itertools

from akili_cli.adapters.storage.pool import IdleConnections


class Link:
    """A connection that only counts."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Bench:
    def __init__(self, *, limit: int = 2, lifetime_s: float = 10) -> None:
        self.now = 0.0
        numbers = itertools.count(1)
        self.opened: list[Link] = []

        def connect() -> Link:
            self.opened.append(Link(next(numbers)))
            return self.opened[-1]

        self.idle = IdleConnections(connect, limit=limit, lifetime_s=lifetime_s, monotonic=lambda: self.now)


def test_the_connection_used_last_is_used_again() -> None:
    bench = Bench()
    first, second = bench.idle.take(), bench.idle.take()
    assert (first.fresh, second.fresh) == (True, True)
    bench.idle.give(first)
    bench.idle.give(second)
    again = bench.idle.take()
    assert again.connection is second.connection
    assert not again.fresh
    assert len(bench.opened) == 2


def test_no_more_than_the_limit_are_kept() -> None:
    bench = Bench(limit=2)
    for lent in [bench.idle.take() for _ in range(5)]:
        bench.idle.give(lent)
    assert len(bench.idle) == 2
    assert sum(link.closed for link in bench.opened) == 3


def test_a_limit_of_none_keeps_none() -> None:
    bench = Bench(limit=0)
    bench.idle.give(bench.idle.take())
    assert bench.opened[0].closed


def test_a_connection_ends_with_its_lifetime_whether_it_waits_or_comes_back() -> None:
    bench = Bench(lifetime_s=10)
    waits, used = bench.idle.take(), bench.idle.take()
    bench.idle.give(waits)
    bench.now = 10
    bench.idle.give(used)
    assert [link.closed for link in bench.opened] == [True, True]
    assert bench.idle.take().connection.number == 3


def test_a_broken_connection_is_not_kept() -> None:
    bench = Bench()
    lent = bench.idle.take()
    lent.connection.close()
    bench.idle.give(lent)
    assert len(bench.idle) == 0


def test_what_waits_can_be_forgotten_and_what_comes_back_after_the_end_is_closed() -> None:
    bench = Bench()
    waits, used = bench.idle.take(), bench.idle.take()
    bench.idle.give(waits)
    bench.idle.forget()
    assert waits.connection.closed
    bench.idle.close()
    bench.idle.give(used)
    assert used.connection.closed
