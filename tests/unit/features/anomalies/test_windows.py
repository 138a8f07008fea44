from __future__ import annotations

import pytest

from akili_cli.features.anomalies.windows import MAX_EVENTS, BySubject, Outcomes, Spending, Times, Yeses

T = 1_000_000.0


def test_the_number_of_subjects_is_bounded_and_the_quietest_goes_first() -> None:
    windows: BySubject[list[int]] = BySubject(list, limit=2)
    windows.of("a").append(1)
    windows.of("b").append(2)
    windows.of("a")
    windows.of("c")
    assert len(windows) == 2
    assert windows.of("a") == [1]
    assert windows.of("b") == []


def test_outcomes_outside_the_window_are_forgotten_and_their_number_is_bounded() -> None:
    outcomes = Outcomes(300)
    assert outcomes.add(T, failed=True) == (1, 1)
    assert outcomes.add(T + 299, failed=False) == (1, 2)
    assert outcomes.add(T + 300, failed=True) == (1, 2)
    for _ in range(2 * MAX_EVENTS):
        found = outcomes.add(T + 301, failed=True)
    assert found == (MAX_EVENTS, MAX_EVENTS)


def test_times_are_full_once_enough_of_them_lie_in_the_window() -> None:
    times = Times(60, 3)
    assert [times.add(T + at) for at in (0, 59, 60, 61, 200)] == [False, False, False, True, False]


def test_spending_is_compared_with_whole_windows_before_it() -> None:
    spending = Spending(100)
    assert spending.add(T, 1.0) == (1.0, None)
    assert spending.add(T + 90, 1.0) == (2.0, None)
    now, usual = spending.add(T + 200, 5.0)
    assert now == 5.0
    assert usual == pytest.approx(2.0 / 1.1)


def test_windows_without_spending_count_and_old_ones_do_not() -> None:
    spending = Spending(100)
    spending.add(T, 12.0)
    _, usual = spending.add(T + 1100, 1.0)
    assert usual == pytest.approx(12.0 / 10.1, rel=0.01)
    _, later = spending.add(T + 5000, 1.0)
    assert later == 0.0
    assert len(spending._slots) <= 130


def test_yeses_are_in_a_row_only_while_each_follows_a_moment_later() -> None:
    yeses = Yeses(300, 5)
    assert [yeses.add(T + at) for at in (0, 4, 9, 15, 16)] == [1, 2, 3, 1, 2]


def test_a_plan_is_one_yes_and_a_no_begins_anew() -> None:
    yeses = Yeses(300, 5)
    assert [yeses.add(T + at, "plan-1") for at in range(4)] == [1, 1, 1, 1]
    assert yeses.add(T + 4) == 2
    yeses.end()
    assert yeses.add(T + 5) == 1


def test_yeses_outside_the_window_are_forgotten() -> None:
    yeses = Yeses(10, 5)
    assert [yeses.add(T + at) for at in (0, 4, 8, 12)] == [1, 2, 3, 3]
