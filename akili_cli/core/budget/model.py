"""Values of the budget: what is held, what a level looks like. All amounts are USD, all days are UTC."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limits:
    """What applies to one call: per day for user and organisation, in all for its run. None is no limit."""

    user_usd: float
    organisation_usd: float | None = None
    run_usd: float | None = None
    run_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """An amount held for one call until it is settled, released or expired; charged to ``day``.

    ``parent_id`` is the run that started this one. What costs nothing is checked and not ``held``.
    """

    id: str
    org: str
    user: str
    day: str
    run_id: str
    amount_usd: float
    created_at: float
    expires_at: float
    tokens: int = 0
    parent_id: str | None = None
    held: bool = True


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """A user's day so far. ``remaining_usd`` is never below zero, even when a call cost more than held."""

    limit_usd: float
    spent_usd: float
    reserved_usd: float
    remaining_usd: float
    day: str


@dataclass(frozen=True, slots=True)
class DaySpend:
    """One past day of a user."""

    day: str
    limit_usd: float
    spent_usd: float


@dataclass(frozen=True, slots=True)
class Level:
    """One node of the tree; what children spent is in the figures of their parents."""

    level: Literal["organisation", "user", "run"]
    name: str
    limit_usd: float | None
    spent_usd: float
    reserved_usd: float
    spent_tokens: int = 0
    reserved_tokens: int = 0
    max_tokens: int | None = None
    parent: str | None = None

    @property
    def remaining_usd(self) -> float | None:
        """What is left, never below zero; None without a limit."""
        return None if self.limit_usd is None else max(0.0, self.limit_usd - self.spent_usd - self.reserved_usd)

    def as_dict(self) -> dict[str, object]:
        """Give a JSON-ready form."""
        return {
            "name": self.name,
            "limit_usd": self.limit_usd,
            "spent_usd": self.spent_usd,
            "reserved_usd": self.reserved_usd,
            "remaining_usd": self.remaining_usd,
            "max_tokens": self.max_tokens,
            "parent": self.parent,
            "spent_tokens": self.spent_tokens,
            "reserved_tokens": self.reserved_tokens,
        }


@dataclass(frozen=True, slots=True)
class BudgetTree:
    """A day of one user: the organisation, the user, and the user's runs, newest first."""

    day: str
    organisation: Level
    user: Level
    runs: tuple[Level, ...]

    def as_dict(self, status: BudgetStatus) -> dict[str, object]:
        """Give the day JSON-ready, with the user's status."""
        return {
            "user": self.user.name,
            **asdict(status),
            "organisation": self.organisation.as_dict(),
            "runs": [one.as_dict() for one in self.runs],
            "spent_tokens": self.user.spent_tokens,
            "reserved_tokens": self.user.reserved_tokens,
        }
