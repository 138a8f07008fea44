from __future__ import annotations

from akili_cli.core.execution.cache import ResultCache
from akili_cli.domain.calls import ToolOutput
from tests.fakes.clock import FakeClock

A, B = ToolOutput("a"), ToolOutput("b")


def test_a_result_is_remembered_until_its_time_is_over() -> None:
    clock = FakeClock()
    cache = ResultCache(clock, ttl_s=60)
    cache.put("k", A)
    clock.move(59)
    assert cache.get("k") is A
    clock.move(1)
    assert cache.get("k") is None


def test_an_unknown_key_gives_nothing() -> None:
    assert ResultCache(FakeClock()).get("k") is None


def test_the_entry_unused_longest_makes_room() -> None:
    cache = ResultCache(FakeClock(), max_entries=2)
    cache.put("a", A)
    cache.put("b", B)
    cache.get("a")
    cache.put("c", A)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (A, None, A)


def test_clear_forgets_everything() -> None:
    cache = ResultCache(FakeClock())
    cache.put("k", A)
    cache.clear()
    assert cache.get("k") is None


def test_the_key_depends_on_both_digests() -> None:
    keys = {ResultCache.key(*pair) for pair in (("a", "b"), ("a", "c"), ("c", "b"), ("b", "a"))}
    assert len(keys) == 4
