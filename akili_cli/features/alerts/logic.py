"""What becomes of a rule with one more check, and whether people are told. Nothing here touches the world."""

from __future__ import annotations

from dataclasses import dataclass, replace

from akili_cli.features.alerts.model import MAX_WINDOW, Seen, Standing, State

FLAP_TURNS = 5
FLAP_CHECKS = 10
STEADY_CHECKS = 5
"""With so many changes of status in so many checks a rule flaps, until none has come for the last number."""

_REMEMBERED = max(MAX_WINDOW, FLAP_CHECKS)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a rule is bad (``needed`` bad checks of the last ``window``) and when it may speak (epoch seconds)."""

    needed: int
    window: int
    cooldown_s: float
    muted_until: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A rule after one more check. ``tells`` is what is announced now, ``told_before`` what was said last.

    ``waits_until`` is when something that is held back may be said, if it is still true then.
    """

    state: State
    tells: Standing | None
    told_before: Standing
    waits_until: float | None


def step(state: State, found: Standing, at: float, limits: Limits) -> Step:
    """Take in what a check at ``at`` found.

    1. The status is confirmed by the last checks. 2. Too many changes of it are flapping. 3. What people should know
    (the status, or that it flaps) is said when it differs from what they were told last, unless the rule is muted or
    spoke less than a cooldown ago; nothing that is held back is forgotten, and nothing that is over is said.
    """
    status = _confirmed(state, found, limits)
    seen = (*state.recent, Seen(found, status is not state.status))[-_REMEMBERED:]
    flapping = _flaps(seen, limits, before=state.flapping)
    if state.flapping and not flapping:
        seen = tuple(replace(one, turned=False) for one in seen)
    after = replace(state, status=status, recent=seen, flapping=flapping, last_checked_at=at)
    stands = Standing.FLAPPING if flapping else status
    if stands is state.announced:
        return Step(after, None, state.announced, None)
    free_at = _free_at(state, limits)
    if at < free_at:
        return Step(after, None, state.announced, free_at)
    return Step(replace(after, announced=stands, last_alerted_at=at), stands, state.announced, None)


def _confirmed(state: State, found: Standing, limits: Limits) -> Standing:
    last = [*(one.found for one in state.recent), found][-limits.window :]
    bad = [one for one in last if one is not Standing.OK]
    if len(bad) < limits.needed:
        return Standing.OK if found is Standing.OK else state.status
    enough = [kind for kind in (Standing.ALERT, Standing.ERROR) if bad.count(kind) >= limits.needed]
    if len(enough) == 1:
        return enough[0]
    if not enough and state.status is not Standing.OK:
        return state.status
    return bad[-1]


def _flaps(seen: tuple[Seen, ...], limits: Limits, *, before: bool) -> bool:
    steady = max(STEADY_CHECKS, limits.window)
    if before:
        return any(one.turned for one in seen[-steady:])
    return seen[-1].turned and sum(one.turned for one in seen[-FLAP_CHECKS:]) >= FLAP_TURNS


def _free_at(state: State, limits: Limits) -> float:
    cooled = float("-inf") if state.last_alerted_at is None else state.last_alerted_at + limits.cooldown_s
    return max(cooled, limits.muted_until or float("-inf"))
