from __future__ import annotations

import pytest

from akili_cli.domain.calls import Status
from akili_cli.features.alerts.checks.base import Freshness
from akili_cli.features.alerts.checks.heartbeat_missing import HEARTBEAT_MISSING, judge_age
from tests.fakes.alerts import step

LOOK = Freshness("cron", "nightly", 100.0)


@pytest.mark.parametrize(
    ("last", "since", "now", "status"),
    [
        (50.0, 0.0, 150.0, "ok"),
        (50.0, 0.0, 151.0, "alert"),
        (None, 0.0, 100.0, "ok"),
        (None, 0.0, 101.0, "alert"),
    ],
    ids=["fresh", "old", "never, but the rule is new", "never"],
)
def test_the_age_of_the_last_good_run_decides(last: float | None, since: float, now: float, status: str) -> None:
    assert judge_age(LOOK, last, since, now).status == status


def test_it_looks_into_the_books_and_a_call_is_no_answer() -> None:
    assert HEARTBEAT_MISSING.look("cron:nightly", {"max_age_seconds": "100"}) == LOOK
    assert HEARTBEAT_MISSING.judge(step(Status.OK), {}).status == "error"


@pytest.mark.parametrize(
    ("target", "config"),
    [
        ("nightly", {"max_age_seconds": "1"}),
        ("cron:", {"max_age_seconds": "1"}),
        ("heartbeat:only-a-group", {"max_age_seconds": "1"}),
        ("cron:nightly", {}),
        ("cron:nightly", {"max_age_seconds": "0"}),
        ("cron:nightly", {"max_age_seconds": "1e9"}),
        ("cron:nightly", {"max_age_seconds": "1", "x": "y"}),
    ],
    ids=str,
)
def test_what_could_never_work_is_said(target: str, config: dict[str, str]) -> None:
    assert HEARTBEAT_MISSING.problem(target, config)
