from __future__ import annotations

from dataclasses import replace

from tests.fakes.cron import JOB


def test_what_is_not_set_is_left_out_and_times_are_iso() -> None:
    told = replace(JOB, last_run_at=1.5, notify=("ops",)).as_dict()
    assert told["last_run_at"] == "1970-01-01T00:00:01.500Z"
    assert told["notify"] == ["ops"]
    assert "budget_limit_usd" not in told
    assert "org" not in told
