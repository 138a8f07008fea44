"""Reserve before a call, settle after it: how a user's daily limit holds across callers and processes."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from akili_cli.adapters.storage.base import Database
from akili_cli.core.budget import store
from akili_cli.core.budget.model import BudgetStatus, DaySpend, Reservation
from akili_cli.core.budget.settings import BudgetSettings
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import RefusedError
from akili_cli.domain.ids import new_uuid


def utc_day(at: float) -> str:
    """Give the UTC day of an epoch time as ``2026-02-17``."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def checked_usd(amount_usd: float) -> float:
    """Give an amount that can be added up; raises ``RefusedError`` for NaN, infinity and below zero."""
    if not math.isfinite(amount_usd) or amount_usd < 0:
        raise RefusedError(
            f"{amount_usd!r} USD is not a cost",
            hint="check the price of the model or tool: it must be a finite number, zero or more",
        )
    return float(amount_usd)


class Ledger:
    """The budget of one organisation. What was really spent is always recorded, even above the limit."""

    def __init__(self, db: Database, org: str, settings: BudgetSettings, clock: Clock) -> None:
        """Keep the collaborators; the limit of the settings applies at once, also to a day under way."""
        self._db = db
        self._org = org
        self._limit_usd = settings.default_limit_usd
        self._clock = clock

    def plan(self, user: str, run_id: str, amount_usd: float, *, ttl_s: float = 600) -> Reservation:
        """Make the value that ``store.reserve`` records; nothing is held yet.

        Raises ``RefusedError`` for an amount that is no cost.
        """
        now = self._clock.now()
        return Reservation(
            new_uuid(),
            self._org,
            user,
            utc_day(now),
            run_id,
            amount_usd=checked_usd(amount_usd),
            created_at=now,
            expires_at=now + ttl_s,
        )

    @property
    def limit_usd(self) -> float:
        """The limit per user and day."""
        return self._limit_usd

    async def reserve(self, user: str, run_id: str, amount_usd: float, *, ttl_s: float = 600) -> Reservation:
        """Hold an amount of today's budget, for at most ``ttl_s``.

        Raises ``BudgetExceededError`` when limit - spent - held does not cover it, ``RefusedError`` when the
        amount is no cost.
        """
        hold = self.plan(user, run_id, amount_usd, ttl_s=ttl_s)
        await self._db.write(lambda connection: store.reserve(connection, hold, self._limit_usd))
        return hold

    async def settle(self, reservation: Reservation, actual_usd: float) -> None:
        """Record the real cost on the reservation's day and free the rest; a second time changes nothing."""
        actual, now = checked_usd(actual_usd), self._clock.now()
        await self._db.write(lambda connection: store.settle(connection, self._org, reservation.id, actual, now))

    async def release(self, reservation: Reservation) -> None:
        """Free a reservation that cost nothing; a second time, or after ``settle``, changes nothing."""
        now = self._clock.now()
        await self._db.write(lambda connection: store.release(connection, self._org, reservation.id, now))

    async def status(self, user: str) -> BudgetStatus:
        """Give the user's day so far."""
        now = self._clock.now()
        return await self._db.read(
            lambda connection: store.status(
                connection, self._org, user, utc_day(now), limit_usd=self._limit_usd, now=now
            )
        )

    async def history(self, user: str, days: int) -> tuple[DaySpend, ...]:
        """Give the user's last ``days`` days (today is one) that saw any call, newest first."""
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        since = today - timedelta(days=min(max(days, 1), 36_500) - 1)
        return await self._db.read(lambda connection: store.history(connection, self._org, user, since.isoformat()))
