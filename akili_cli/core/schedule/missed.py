"""Which of the fire times that have passed run, and which are recorded as missed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from akili_cli.core.schedule.base import OnMissed
from akili_cli.core.schedule.cron_expr import CronExpr

GRACE_S = 60.0
"""A fire time that is not older than this is on time."""

MAX_LISTED = 100
MAX_PASSED = 100_000


@dataclass(frozen=True, slots=True)
class Passed:
    """What becomes of the fire times up to now. ``runs`` and ``missed`` are times, oldest first.

    ``unlisted`` counts older missed times that get no record of their own, ``since`` is the first of them.
    """

    runs: tuple[float, ...]
    missed: tuple[float, ...]
    unlisted: int
    since: float
    next_run_at: float


def sort_passed(expr: CronExpr, first: float, now: float, on_missed: OnMissed, window_s: float) -> Passed:
    """Sort the fire times from ``first`` (the job's ``next_run_at``) to ``now``.

    On time runs. Of those inside the window ``skip`` runs none, ``run_once`` the newest, ``run_all`` every one;
    outside the window nothing runs.
    """
    later = itertools.takewhile(lambda at: at <= now, expr.after(first))
    times = [first, *itertools.islice(later, MAX_PASSED)]
    inside = [at for at in times if now - at <= max(window_s, GRACE_S)]
    on_time = [at for at in inside if now - at <= GRACE_S]
    match on_missed:
        case OnMissed.SKIP:
            runs = on_time[-1:]
        case OnMissed.RUN_ONCE:
            runs = inside[-1:]
        case OnMissed.RUN_ALL:
            runs = inside
    missed = [at for at in times if at not in set(runs)]
    listed = missed[-MAX_LISTED:]
    return Passed(
        tuple(runs), tuple(listed), len(missed) - len(listed), missed[0] if missed else now, expr.next_after(now)
    )
