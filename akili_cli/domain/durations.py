"""Durations as people write them: ``10s``, ``2m``, ``1h30m``, ``90d``."""

from __future__ import annotations

import re

_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_FORM = re.compile(
    r"(?:(?P<d>\d{1,5}(?:\.\d{1,9})?)d)?(?:(?P<h>\d{1,9}(?:\.\d{1,9})?)h)?(?:(?P<m>\d{1,9}(?:\.\d{1,9})?)m(?!s))?"
    r"(?:(?P<s>\d{1,9}(?:\.\d{1,9})?)s)?(?:(?P<ms>\d{1,9}(?:\.\d{1,9})?)ms)?",
    re.ASCII,
)


def parse_duration(text: str) -> float:
    """Turn a duration into seconds, always above zero.

    Raises ``ValueError`` for anything else: no sign, no bare number, units in falling order.
    """
    found = _FORM.fullmatch(text)
    seconds = sum(float(value) * _UNITS[unit] for unit, value in found.groupdict("0").items()) if found else 0.0
    if seconds <= 0:
        raise ValueError(f"{text[:40]!r} is not a duration; write it like 10s, 2m or 1h30m")
    return seconds
