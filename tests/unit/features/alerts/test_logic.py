from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.features.alerts.logic import FLAP_TURNS, STEADY_CHECKS, Limits, Step, step
from akili_cli.features.alerts.model import Standing, State

OK, ALERT, ERROR, FLAPPING = Standing.OK, Standing.ALERT, Standing.ERROR, Standing.FLAPPING
WORDS = {"o": OK, "a": ALERT, "e": ERROR}
FOUND = st.lists(st.tuples(st.sampled_from((OK, ALERT, ERROR)), st.integers(1, 400)), max_size=80)
LIMITS = st.integers(1, 5).flatmap(
    lambda needed: st.builds(
        Limits, st.just(needed), st.integers(needed, 8), st.integers(0, 600).map(float), st.none() | st.just(2000.0)
    )
)


def play(found: list[tuple[Standing, int]], limits: Limits) -> list[tuple[float, Step]]:
    state, at, out = State(), 0.0, []
    for one, wait in found:
        at += wait
        out.append((at, step(state, one, at, limits)))
        state = out[-1][1].state
    return out


def said(text: str, limits: Limits, every_s: int = 60) -> list[tuple[int, str]]:
    """Give what is told, by the number of the check."""
    steps = play([(WORDS[letter], every_s) for letter in text], limits)
    return [(number, str(one.tells)) for number, (_, one) in enumerate(steps, 1) if one.tells]


@pytest.mark.parametrize(
    ("text", "limits", "told"),
    [
        ("oo", Limits(1, 1, 0), []),
        ("oa", Limits(1, 1, 0), [(2, "alert")]),
        ("oae", Limits(1, 1, 0), [(2, "alert"), (3, "error")]),
        ("oaao", Limits(1, 1, 0), [(2, "alert"), (4, "ok")]),
        ("aaaa", Limits(1, 1, 0), [(1, "alert")]),
        ("aoa", Limits(2, 3, 0), [(3, "alert")]),
        ("aooa", Limits(2, 3, 0), []),
        ("aaoo", Limits(2, 3, 0), [(2, "alert"), (4, "ok")]),
        ("ae", Limits(2, 2, 0), [(2, "error")]),
        ("aae", Limits(2, 3, 0), [(2, "alert")]),
        ("aaee", Limits(2, 3, 0), [(2, "alert"), (4, "error")]),
    ],
)
def test_what_n_of_m_and_each_change_say(text: str, limits: Limits, told: list[tuple[int, str]]) -> None:
    assert said(text, limits) == told


def test_a_change_in_the_cooldown_is_said_when_it_ends_if_it_is_still_true() -> None:
    assert said("aoooooo", Limits(1, 1, 300)) == [(1, "alert"), (6, "ok")]


def test_a_change_in_the_cooldown_that_is_undone_is_never_said() -> None:
    assert said("aoaaaaaaaa", Limits(1, 1, 300)) == [(1, "alert")]


def test_what_is_held_back_says_until_when() -> None:
    (_, first), (_, second), *_ = play([(ALERT, 60), (OK, 60)], Limits(1, 1, 300))
    assert (first.waits_until, second.tells, second.waits_until) == (None, None, 360.0)


def test_a_muted_rule_speaks_at_the_end_of_the_mute_and_only_of_what_is_true_then() -> None:
    assert said("aaaaa", Limits(1, 1, 0, muted_until=240)) == [(4, "alert")]
    assert said("aaooo", Limits(1, 1, 0, muted_until=240)) == []


def test_flapping_is_said_once_and_then_where_it_stands_when_it_has_settled() -> None:
    steady = "a" * (STEADY_CHECKS + 3)
    told = said("aoaoaoaoao" + steady, Limits(1, 1, 0))
    assert [what for _, what in told] == ["alert", "ok", "alert", "ok", "flapping", "alert"]
    assert told[4][0] == FLAP_TURNS
    assert told[5][0] == 11 + STEADY_CHECKS


def test_after_flapping_one_change_is_one_change_again() -> None:
    text = "aoaoao" + "o" * STEADY_CHECKS + "a"
    assert [what for _, what in said(text, Limits(1, 1, 0))][-2:] == ["ok", "alert"]


def test_a_bad_rule_whose_memory_was_dropped_is_not_announced_well_by_a_bad_check() -> None:
    after = step(State(status=ALERT, announced=ALERT), ALERT, 1.0, Limits(3, 5, 0))
    assert (after.state.status, after.tells) == (ALERT, None)


@given(FOUND, LIMITS)
def test_nothing_is_said_twice_in_a_row(found: list[tuple[Standing, int]], limits: Limits) -> None:
    told = [OK, *(one.tells for _, one in play(found, limits) if one.tells)]
    assert all(before is not after for before, after in itertools.pairwise(told))


@given(FOUND, LIMITS)
def test_what_is_said_is_true_then(found: list[tuple[Standing, int]], limits: Limits) -> None:
    for _, one in play(found, limits):
        if one.tells is FLAPPING:
            assert one.state.flapping
        elif one.tells:
            assert (one.state.status, one.state.flapping) == (one.tells, False)


@given(FOUND, LIMITS)
def test_between_two_messages_is_a_cooldown_and_none_is_sent_while_muted(
    found: list[tuple[Standing, int]], limits: Limits
) -> None:
    times = [at for at, one in play(found, limits) if one.tells]
    assert all(later - earlier >= limits.cooldown_s for earlier, later in itertools.pairwise(times))
    assert all(at >= (limits.muted_until or 0) for at in times)


@given(FOUND, LIMITS, st.sampled_from((OK, ALERT, ERROR)))
def test_no_change_is_lost(found: list[tuple[Standing, int]], limits: Limits, last: Standing) -> None:
    """However it came there: once a status has stayed and the rule may speak, people know it."""
    settled = [(last, 300)] * (limits.window + STEADY_CHECKS + limits.window + 12)
    after = play(found + settled, limits)[-1][1].state
    assert (after.status, after.announced, after.flapping) == (last, last, False)


@given(FOUND, LIMITS)
def test_what_differs_from_what_was_said_always_has_a_time_to_be_said(
    found: list[tuple[Standing, int]], limits: Limits
) -> None:
    for at, one in play(found, limits):
        stands = FLAPPING if one.state.flapping else one.state.status
        assert (one.waits_until is not None and one.waits_until > at) == (stands is not one.state.announced)
