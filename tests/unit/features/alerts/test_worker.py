from __future__ import annotations

from akili_cli.core.schedule.base import OnMissed, Overlap
from akili_cli.features.alerts.settings import AlertingSettings
from akili_cli.features.alerts.worker import AlertSchedule, as_due
from tests.fakes.alerts import Outbox, rule
from tests.fakes.clock import FakeClock


def test_the_settings_say_how_often_and_how_many() -> None:
    settings = AlertingSettings.model_validate({"poll_interval_seconds": 7, "max_concurrent_checks": 3})
    made = AlertSchedule(settings=settings, checker=None, notifier=Outbox(), clock=FakeClock())  # type: ignore[arg-type]  # unused here
    assert (made.poll_s, made.max_running, made.kind, made.durable) == (7.0, 3, "alert", False)


def test_the_ticker_sees_the_owner_and_the_whole_check() -> None:
    due = as_due(rule(created_at=4.0))
    assert (due.user, due.on_missed, due.overlap) == ("ann", OnMissed.RUN_ONCE, Overlap.SKIP)
    assert due.payload == {
        "name": "web",
        "check_type": "tcp",
        "target": "localhost:80",
        "check_config": {},
        "since": 4.0,
    }
