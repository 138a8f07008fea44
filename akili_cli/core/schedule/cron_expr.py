"""Cron expressions: five fields, an optional time zone in front, and what daylight saving does to them.

Fields are those of Debian's cron (names, lists, ranges, steps, ``L``, ``#``): day of month and day of week are
joined by "or" when neither begins with a star. Where minute and hour are fixed, a time that the clock skips fires at
the first minute after the gap, and one that the clock shows twice fires the first time only. With a star in minute or
hour the expression follows the clock on the wall: nothing in the gap, both times in the repeated hour.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from akili_cli.domain.errors import InvalidArgumentsError

FIELDS = 5
MAX_CHARS = 200
DAY_S = 86400.0
_EXAMPLE = "five fields: minute hour day-of-month month day-of-week, such as `0 9 * * 1-5`"


@dataclass(frozen=True, slots=True)
class CronExpr:
    """A checked expression: ``text`` as it was written, its five ``fields`` and its time zone."""

    text: str
    fields: str
    zone: ZoneInfo

    def next_after(self, at: float) -> float:
        """Give the first fire time after ``at`` (epoch seconds)."""
        return next(self.after(at))

    def after(self, at: float) -> Iterator[float]:
        """Go through the fire times after ``at``, each later than the one before.

        The wall clock is followed from one change of the zone's offset to the next, so that shifts of any size
        (Lord Howe's is half an hour) come out right.
        """
        known: float = math.floor(at)  # a time a hair before a full second would be rounded up to it
        offset, last = self._offset(known), at
        walls = self._walls(known + offset)
        while (wall := next(walls, None)) is not None:
            fire = wall - offset
            change = self._change(known, fire, offset)
            if change is None:
                known = max(known, fire)
            else:
                old_wall, offset, known = change + offset, self._offset(change), change
                new_wall = change + offset
                fire = change if self._is_fixed and wall < new_wall else last
                walls = self._walls((max(old_wall, new_wall) if self._is_fixed else new_wall) - 1)
            if fire > last and not (self._is_fixed and self._is_repeated(fire)):
                last = fire
                yield fire

    @property
    def _is_fixed(self) -> bool:
        minute, hour, *_ = self.fields.split()
        return not minute.startswith("*") and not hour.startswith("*")

    def _walls(self, after: float) -> Iterator[float]:
        """Go through what a clock on the wall shows at each match, as if it were UTC: day by day, then by the clock."""
        midnight = datetime.fromtimestamp(after, UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        clock = CronSim(self.fields, midnight)
        hours, minutes = sorted(clock.hours), sorted(clock.minutes)
        _minute, _hour, *days = self.fields.split()
        for day in CronSim(f"0 0 {' '.join(days)}", midnight - timedelta(minutes=1)):
            start = day.replace(tzinfo=UTC).timestamp()
            for hour in hours:
                for minute in minutes:
                    wall = start + 3600 * hour + 60 * minute
                    if wall > after:
                        yield wall

    def _change(self, known: float, until: float, offset: float) -> float | None:
        """Find the first second after ``known``, up to ``until``, at which the zone's offset is another."""
        while known < until:
            later = min(known + DAY_S, until)
            if self._offset(later) != offset:
                low, high = math.floor(known), math.ceil(later)
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
                return float(high)
            known = later
        return None

    def _is_repeated(self, at: float) -> bool:
        return datetime.fromtimestamp(at, self.zone).fold == 1

    def _offset(self, at: float) -> float:
        shift = datetime.fromtimestamp(at, self.zone).utcoffset()
        return 0.0 if shift is None else shift.total_seconds()


def parse_cron(text: str) -> CronExpr:
    """Check an expression; raises ``InvalidArgumentsError`` that says what is wrong with it.

    ``CRON_TZ=Europe/Berlin`` (or ``TZ=``) in front sets the zone, which is UTC otherwise. An expression that never
    fires is refused.
    """
    shown = text[:MAX_CHARS]
    words = text.split()
    zone_name = "UTC"
    if words and words[0].partition("=")[0] in ("CRON_TZ", "TZ"):
        zone_name = words.pop(0).partition("=")[2]
    zone = _zone(zone_name)
    if len(text) > MAX_CHARS or not text.isascii() or any(char in text for char in "\n\r\0"):
        raise InvalidArgumentsError(f"{shown!r} is not a cron expression", hint=_EXAMPLE)
    if len(words) == 1 and words[0].startswith("@"):
        raise InvalidArgumentsError(f"{shown!r}: shortcuts such as @daily are not taken", hint=_EXAMPLE)
    if len(words) != FIELDS:
        raise InvalidArgumentsError(f"{shown!r} has {len(words)} fields instead of five", hint=_EXAMPLE)
    fields = " ".join(words)
    try:
        expr = CronExpr(text.strip(), fields, zone)
        expr.next_after(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    except (CronSimError, ValueError, AssertionError, OverflowError) as error:
        raise InvalidArgumentsError(
            f"{shown!r}: {str(error).lower() or 'not a cron expression'}", hint=_EXAMPLE
        ) from error
    except (StopIteration, RuntimeError) as error:
        raise InvalidArgumentsError(f"{shown!r} never fires", hint="no such date exists") from error
    return expr


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidArgumentsError(
            f"there is no time zone {name[:60]!r}", hint="write it like CRON_TZ=Europe/Berlin 0 9 * * *"
        ) from error
