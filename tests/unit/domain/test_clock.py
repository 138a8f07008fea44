from __future__ import annotations

from akili_cli.domain.clock import SystemClock, iso


async def test_the_systems_clock_goes_forward() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.now() > 1_700_000_000


def test_times_are_written_in_utc_with_milliseconds() -> None:
    assert iso(0.0) == "1970-01-01T00:00:00.000Z"
    assert iso(1_771_331_445.1239) == "2026-02-17T12:30:45.123Z"
