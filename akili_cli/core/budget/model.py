"""Values of the budget: what is held, what a day looks like. All amounts are USD, all days are UTC."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reservation:
    """An amount held for one call until it is settled, released or expired; charged to ``day``."""

    id: str
    org: str
    user: str
    day: str
    run_id: str
    amount_usd: float
    created_at: float
    expires_at: float


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
