from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from akili_cli.core.schedule.base import OnMissed
from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.core.schedule.missed import GRACE_S, MAX_LISTED, sort_passed

HOURLY = parse_cron("0 * * * *")
HOUR = 3600.0


def test_one_that_is_due_now_runs() -> None:
    passed = sort_passed(HOURLY, HOUR, HOUR, OnMissed.RUN_ONCE, HOUR)
    assert (passed.runs, passed.missed, passed.next_run_at) == ((HOUR,), (), 2 * HOUR)


def test_outside_the_window_nothing_runs() -> None:
    for policy in OnMissed:
        passed = sort_passed(HOURLY, HOUR, 2 * HOUR - 1, policy, 600)
        assert (passed.runs, passed.missed) == ((), (HOUR,))


def test_a_window_is_never_shorter_than_what_counts_as_on_time() -> None:
    assert sort_passed(HOURLY, HOUR, HOUR + GRACE_S, OnMissed.SKIP, 0).runs == (HOUR,)


@given(
    late=st.floats(0, 40 * 86400),
    policy=st.sampled_from(OnMissed),
    window=st.floats(0, 10 * 86400),
)
def test_every_fire_time_runs_or_is_missed(late: float, policy: OnMissed, window: float) -> None:
    passed = sort_passed(HOURLY, HOUR, HOUR + late, policy, window)
    count = int(late // HOUR) + 1
    assert len(passed.runs) + len(passed.missed) + passed.unlisted == count
    assert not set(passed.runs) & set(passed.missed)
    assert len(passed.missed) <= MAX_LISTED
    assert all(HOUR + late - at <= max(window, GRACE_S) for at in passed.runs)
    assert HOUR + late < passed.next_run_at <= 2 * HOUR + late
    if policy is not OnMissed.RUN_ALL:
        assert len(passed.runs) <= 1
