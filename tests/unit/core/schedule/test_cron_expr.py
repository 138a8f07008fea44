from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.domain.errors import InvalidArgumentsError

EXPRESSIONS = (
    *("* * * * *", "*/5 * * * *", "*/7 * * * *", "0 * * * *", "30 * * * *", "0,30 * * * *", "15-45/10 * * * *"),
    *("0 0 * * *", "30 2 * * *", "0 2 * * *", "59 2 * * *", "0,30 2 * * *", "15 1 * * *", "30 1 * * *", "45 1 * * *"),
    *("0 3 * * *", "*/20 2 * * *", "*/15 1-3 * * *", "10 */2 * * *", "5 1-5 * * *", "5 1,2,3 * * *", "0 9 * * 1-5"),
    *("0 9 * * MON-FRI", "0 9 * * 0", "0 9 * * 7", "0 9 * * sun", "30 8 1 * *", "30 8 31 * *", "30 8 29 2 *"),
    *("0 0 13 * 5", "0 12 1,15 * 1", "0 12 */10 * *", "0 12 * * */2", "0 0 1 1 *", "0 0 1 JAN *", "0 6 * 3 *"),
    *("0 6 * 3,10 0", "0 2 * 3 0", "0 1 * 10,11 0", "30 2 8-14 3 0", "30 1 1-7 11 0", "0 6 L * *", "0 6 * * 5L"),
    *("0 6 * * 1#1", "0 6 * * 3#2,5#4", "*/30 0 * * *", "0 23 * * *", "59 23 31 12 *", "0 0 29 2 *", "1 0 30 4,6 *"),
    *("0 4 1-7 * *", "0 4 * 1-6 *", "0 4 * 7-12/2 *", "10-20 5 * * *", "0 0-23/6 * * *", "0 8-18 * * 1-5"),
    *("2-59/19 * * * *", "0 22 * * 1,3,5", "7 7 7 7 *", "0 0 * * 1"),
)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
MINUTE = timedelta(minutes=1)
YEAR = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def _field(text: str, low: int, high: int, names: str = "") -> set[int]:
    """Read one plain field, independently of the code under test."""
    known = {name: number for number, name in enumerate(names.split(), start=low)}
    out: set[int] = set()
    for part in text.upper().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first == "*":
            start, end = low, high
        else:
            start = known.get(first, -1) if first in known else int(first)
            end = (known[last] if last in known else int(last)) if last else (high if step else start)
        out |= set(range(start, end + 1, int(step or 1)))
    return out


class Walk:
    """What an expression means, by looking at every minute."""

    def __init__(self, fields: str) -> None:
        minute, hour, day, month, weekday = fields.split()
        self.minutes, self.hours = _field(minute, 0, 59), _field(hour, 0, 23)
        self.months = _field(month, 1, 12, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
        self.day, self.weekday = day, weekday
        self.joined_by_and = day.startswith("*") or weekday.startswith("*")
        self.fixed = not minute.startswith("*") and not hour.startswith("*")

    def on_day(self, at: datetime) -> bool:
        last = (at.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        by_day = at.day == last.day if self.day == "L" else at.day in _field(self.day, 1, 31)
        weekday = (at.weekday() + 1) % 7
        by_weekday = any(self._weekday(part, weekday, at, last) for part in self.weekday.split(","))
        return (by_day and by_weekday) if self.joined_by_and else (by_day or by_weekday)

    @staticmethod
    def _weekday(part: str, weekday: int, at: datetime, last: datetime) -> bool:
        if part.endswith("L"):
            return weekday == int(part[0]) and at.day + 7 > last.day
        if "#" in part:
            name, _, nth = part.partition("#")
            return weekday == int(name) and (at.day - 1) // 7 + 1 == int(nth)
        return weekday in {number % 7 for number in _field(part, 0, 7, "SUN MON TUE WED THU FRI SAT")}


class Year(NamedTuple):
    """Every minute of a year in one zone: when it is, which day of ``days``, which minute of the day, which fold."""

    zone: str
    minutes: list[tuple[float, int, int, int]]
    days: list[datetime]
    gaps: dict[float, list[tuple[int, int]]]  # what the clock on the wall skipped right before a minute


def _brute_force(walk: Walk, year: Year) -> list[float]:
    on_day = [day.month in walk.months and walk.on_day(day) for day in year.days]
    on_clock = [hour in walk.hours and minute in walk.minutes for hour in range(24) for minute in range(60)]
    if not walk.fixed:
        return [at for at, day, of_day, _ in year.minutes if on_clock[of_day] and on_day[day]]
    fires = [at for at, day, of_day, fold in year.minutes if on_clock[of_day] and on_day[day] and not fold]
    skipped = [at for at, gap in year.gaps.items() if any(on_clock[of_day] and on_day[day] for day, of_day in gap)]
    return sorted({*fires, *skipped})


def _walked(name: str) -> Year:
    zone = ZoneInfo(name)
    year = Year(name, [], [], {})
    known: dict[tuple[int, int, int], int] = {}

    def place(wall: datetime) -> tuple[int, int]:
        date = (wall.year, wall.month, wall.day)
        if date not in known:
            known[date] = len(year.days)
            year.days.append(datetime(wall.year, wall.month, wall.day))  # noqa: DTZ001  # a day on the wall
        return known[date], wall.hour * 60 + wall.minute

    before: datetime | None = None
    for number in range(365 * 24 * 60):
        at = YEAR + number * 60.0
        local = datetime.fromtimestamp(at, zone)
        wall = local.replace(tzinfo=None, fold=0)
        if before is not None and wall - before > MINUTE:
            year.gaps[at] = [place(before + n * MINUTE) for n in range(1, (wall - before) // MINUTE)]
        year.minutes.append((at, *place(wall), local.fold))
        before = wall
    return year


@pytest.mark.timeout(180)
@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_fires_equals_a_walk_over_every_minute(zone: str) -> None:
    year = _walked(zone)
    last = year.minutes[-1][0]
    assert len(EXPRESSIONS) >= 60
    assert len(year.gaps) == 1
    wrong = []
    for fields in EXPRESSIONS:
        expected = _brute_force(Walk(fields), year)
        expr = parse_cron(f"CRON_TZ={zone} {fields}")
        found = list(itertools.takewhile(lambda at: at <= last, expr.after(YEAR - 1.0)))
        if found != expected:
            wrong.append((fields, sorted(set(found) ^ set(expected))[:4]))
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "after", "then"),
    [
        ("30 2 * * *", "2026-03-07T12:00:00-05:00", "2026-03-08T03:00:00-04:00"),
        ("30 1 * * *", "2026-10-31T12:00:00-04:00", "2026-11-01T01:30:00-04:00"),
        ("45 1 * * *", "2026-11-01T01:30:00-05:00", "2026-11-02T01:45:00-05:00"),
        ("*/30 1 * * *", "2026-11-01T01:30:00-04:00", "2026-11-01T01:00:00-05:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00-05:00", "2028-02-29T00:00:00-05:00"),
    ],
    ids=["skipped hour", "repeated hour", "inside the repeated hour", "a star repeats", "leap day"],
)
def test_clock_changes_and_leap_days(text: str, after: str, then: str) -> None:
    expr = parse_cron(f"CRON_TZ=America/New_York {text}")
    at = datetime.fromisoformat(after).timestamp()
    assert expr.next_after(at) == datetime.fromisoformat(then).timestamp()


def test_without_a_zone_times_are_utc() -> None:
    assert parse_cron("0 9 * * *").next_after(YEAR) == YEAR + 9 * 3600


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("* * * * * *", "6 fields"),
        ("@daily", "shortcuts"),
        ("@reboot", "shortcuts"),
        ("0 0 31 2 *", "day-of-month|never"),
        ("0 0 30 2 *", "day-of-month|never"),
        ("60 * * * *", "bad minute"),
        ("* 24 * * *", "bad hour"),
        ("* * 0 * *", "bad day-of-month"),
        ("* * 32 * *", "bad day-of-month"),
        ("* * * 13 *", "bad month"),
        ("* * * * 8", "bad day-of-week"),
        ("*/0 * * * *", "bad minute"),
        ("5-1 * * * *", "bad minute"),
        ("-1 * * * *", "bad minute"),
        ("R * * * *", "bad minute"),
        ("a b c d e", "bad minute"),
        ("1,,2 * * * *", "bad minute"),
        ("CRON_TZ=Mars/Olympus 0 0 * * *", "no time zone"),
        ("CRON_TZ=../../etc/passwd 0 0 * * *", "no time zone"),
        ("CRON_TZ= 0 0 * * *", "no time zone"),
        ("TZ=UTC", "0 fields"),
        ("0 0 * * *\n0 1 * * *", "not a cron|10 fields"),
        ("٣ * * * *", "not a cron"),
        ("0 " * 300, "not a cron|fields"),
        ("L * * * *", "bad minute"),
        ("* * LL * *", "bad day-of-month"),
        ("* * * * L", "bad day-of-week"),
        ("* * * * 1#6", "bad day-of-week"),
        ("L/2-3 * * * *", "bad"),
        ("* * * * 1#2/2", "bad|not"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidArgumentsError, match=f"(?i){why}"):
        parse_cron(text)
