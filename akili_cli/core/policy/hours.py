"""When a rule speaks: days of the week and a span of the day, in a named time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS, _MINUTES = 24, 60


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of the day on some days. ``start`` and ``end`` are minutes after midnight, the end not included.

    A span whose end is not after its start goes over midnight and belongs to the day on which it began.
    """

    days: tuple[str, ...]
    start: int
    end: int
    timezone: str

    def contain(self, at: float) -> bool:
        """Tell whether a moment (epoch seconds) lies inside, by the clock on the wall of that zone."""
        local = datetime.fromtimestamp(at, ZoneInfo(self.timezone))
        minute = local.hour * _MINUTES + local.minute
        if self.start < self.end:
            return self.start <= minute < self.end and DAYS[local.weekday()] in self.days
        began = local if minute >= self.start else local - timedelta(days=1)
        return (minute >= self.start or minute < self.end) and DAYS[began.weekday()] in self.days


def minutes_of(text: str) -> int:
    """Turn ``22:00`` into minutes after midnight; ``24:00`` is the end of a day. Raises ``ValueError``."""
    hours, colon, minutes = text.partition(":")
    digits = (hours + minutes).isdigit() and text.isascii() and len(hours) == len(minutes) == len("00")
    if not colon or not digits or int(minutes) >= _MINUTES or int(hours) * _MINUTES + int(minutes) > _HOURS * _MINUTES:
        raise ValueError(f"{text[:40]!r} is not a time of day; write it like 22:00")
    return int(hours) * _MINUTES + int(minutes)


def check_timezone(name: str) -> None:
    """Raise ``ValueError`` for a time zone this machine does not know."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name[:60]!r}; write it like Europe/Berlin or UTC") from None
