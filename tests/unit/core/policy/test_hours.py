from __future__ import annotations

from datetime import UTC, datetime

import pytest

from akili_cli.core.policy.hours import DAYS, Hours, check_timezone, minutes_of

NIGHT = Hours(DAYS, 22 * 60, 6 * 60, "UTC")
OFFICE = Hours(("mon", "tue", "wed", "thu", "fri"), 9 * 60, 17 * 60, "UTC")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("hours", "moment", "inside"),
    [
        (OFFICE, "2026-02-16T09:00", True),
        (OFFICE, "2026-02-16T16:59", True),
        (OFFICE, "2026-02-16T17:00", False),
        (OFFICE, "2026-02-16T08:59", False),
        (OFFICE, "2026-02-15T12:00", False),
        (NIGHT, "2026-02-16T22:00", True),
        (NIGHT, "2026-02-16T05:59", True),
        (NIGHT, "2026-02-16T06:00", False),
        (NIGHT, "2026-02-16T21:59", False),
        (Hours(("fri",), 22 * 60, 6 * 60, "UTC"), "2026-02-21T03:00", True),
        (Hours(("fri",), 22 * 60, 6 * 60, "UTC"), "2026-02-20T03:00", False),
        (Hours(DAYS, 0, 24 * 60, "UTC"), "2026-02-20T23:59", True),
        (Hours(("mon",), 9 * 60, 10 * 60, "Europe/Berlin"), "2026-02-16T08:30", True),
        (Hours(("mon",), 9 * 60, 10 * 60, "Europe/Berlin"), "2026-07-06T08:30", False),
        (Hours(("mon",), 9 * 60, 10 * 60, "Europe/Berlin"), "2026-07-06T07:30", True),
    ],
)
def test_a_moment_is_inside_by_the_clock_of_the_zone(hours: Hours, moment: str, inside: bool) -> None:
    assert hours.contain(at(moment)) is inside


def test_a_night_belongs_to_the_day_it_began_on() -> None:
    sunday_night = Hours(("sun",), 22 * 60, 6 * 60, "UTC")
    assert sunday_night.contain(at("2026-02-16T05:00"))
    assert not sunday_night.contain(at("2026-02-17T05:00"))


@pytest.mark.parametrize(("text", "minutes"), [("00:00", 0), ("09:30", 570), ("24:00", 1440)])
def test_times_of_day_are_read(text: str, minutes: int) -> None:
    assert minutes_of(text) == minutes


@pytest.mark.parametrize(
    "text", ["", "9:30", "24:01", "25:00", "12:60", "12", "-1:00", "12:0x", "\u0661\u0662:\u0660\u0660"]
)
def test_other_times_of_day_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time of day"):
        minutes_of(text)


@pytest.mark.parametrize("name", ["Mars/Base", "../../etc/passwd", "", "Europe", "\0"])
def test_a_time_zone_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        check_timezone(name)


def test_known_time_zones_pass() -> None:
    check_timezone("Europe/Berlin")
    check_timezone("UTC")
