"""The four risk levels and how text becomes one."""

from __future__ import annotations

import enum


class Risk(enum.IntEnum):
    """How much harm an action could do; ordered, so levels compare."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        """Give the lower-case word used in config, audit and on screen."""
        return self.name.lower()

    def raised(self) -> Risk:
        """Give the next level up; critical stays critical."""
        return Risk(min(self + 1, Risk.CRITICAL))


RISK_NAMES = tuple(str(level) for level in Risk)


def parse_risk(text: str) -> Risk:
    """Turn ``low``, ``medium``, ``high`` or ``critical`` into a level.

    Raises ``ValueError`` for anything else: an unknown cap must never mean "no cap".
    """
    try:
        return Risk[text.upper()] if text == text.lower() else Risk[""]
    except KeyError:
        raise ValueError(f"{text!r} is not a risk level; use {', '.join(RISK_NAMES)}") from None
