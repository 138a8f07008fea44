"""Reserve before a call, settle after it: how the limits of a tree hold across callers and processes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.budget import runs, store
from akili_cli.core.budget.model import BudgetStatus, BudgetTree, DaySpend, Limits, Reservation
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


def smallest(*limits: float | None) -> float | None:
    """Give the tightest of some limits; None when there is none."""
    return min((limit for limit in limits if limit is not None), default=None)


class Ledger:
    """The budget of one organisation: its day, its users' days, runs and the runs they started.

    What was really spent is always recorded, even above a limit. Limits of the settings apply at once, also to a
    day under way; a run keeps those it was begun with unless a call names new ones.
    """

    def __init__(self, db: Database, org: str, settings: BudgetSettings, clock: Clock) -> None:
        """Keep the collaborators."""
        self._db = db
        self._org = org
        self._settings = settings
        self._clock = clock

    def limits(self, user: str, run_limit_usd: float | None = None) -> Limits:
        """Give what applies to a call of a user's run; ``run_limit_usd`` can only tighten the settings' limit."""
        settings = self._settings
        return Limits(
            settings.users.get(user, settings.default_limit_usd),
            settings.organisation_limit_usd,
            smallest(run_limit_usd, settings.run_limit_usd),
            settings.max_tokens_per_run,
        )

    def is_capped(self, user: str) -> bool:
        """Tell whether somebody wrote down a limit in USD that holds for a user, beyond the built-in daily one."""
        settings = self._settings
        return (
            "default_limit_usd" in settings.model_fields_set
            or settings.organisation_limit_usd is not None
            or settings.run_limit_usd is not None
            or user in settings.users
        )

    def tool_price(self, tool: str) -> float:
        """Give what one call of a tool costs, as the operator says; most cost nothing."""
        return self._settings.tool_prices.get(tool, 0.0)

    def plan(
        self,
        user: str,
        run_id: str,
        amount_usd: float,
        *,
        tokens: int = 0,
        parent_id: str | None = None,
        ttl_s: float = 600,
    ) -> Reservation:
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
            tokens=max(0, tokens),
            parent_id=parent_id,
        )

    async def begin(
        self, user: str, run_id: str, *, parent_id: str | None = None, run_limit_usd: float | None = None
    ) -> None:
        """Make a run known with its limits, before it or its children spend anything.

        Raises ``NotFoundError`` for a parent nobody began.
        """
        limits = self.limits(user, run_limit_usd)
        hold = self.plan(user, run_id, 0.0, parent_id=parent_id)
        await self._db.write(lambda connection: runs.begin(connection, hold, limits))

    async def reserve(
        self,
        user: str,
        run_id: str,
        amount_usd: float,
        *,
        tokens: int = 0,
        parent_id: str | None = None,
        run_limit_usd: float | None = None,
        ttl_s: float = 600,
    ) -> Reservation:
        """Hold an amount and tokens at every level, for at most ``ttl_s``.

        What costs nothing is only compared with the limits. Raises ``BudgetExceededError`` naming the level that
        does not cover it, ``RefusedError`` when the amount is no cost.
        """
        hold = self.plan(user, run_id, amount_usd, tokens=tokens, parent_id=parent_id, ttl_s=ttl_s)
        limits = self.limits(user, run_limit_usd)
        if hold.amount_usd == 0 and hold.tokens == 0:
            await self._db.read(lambda connection: store.check(connection, hold, limits))
            return replace(hold, held=False)
        await self._db.write(lambda connection: store.reserve(connection, hold, limits))
        return hold

    def unheld(
        self, user: str, run_id: str, *, parent_id: str | None = None, run_limit_usd: float | None = None
    ) -> tuple[Reservation, Callable[[Connection], None]]:
        """Give the reservation of a call that costs nothing, and the comparison that it still needs.

        The comparison belongs in the transaction that makes the call's intent durable; it changes nothing and raises
        ``BudgetExceededError`` like ``reserve``.
        """
        hold = replace(self.plan(user, run_id, 0.0, parent_id=parent_id), held=False)
        limits = self.limits(user, run_limit_usd)
        return hold, lambda connection: store.check_alone(connection, hold, limits)

    async def settle(self, reservation: Reservation, actual_usd: float, tokens: int = 0) -> None:
        """Record the real cost on the reservation's day and free the rest; a second time changes nothing."""
        actual, now = checked_usd(actual_usd), self._clock.now()
        if reservation.held:
            await self._db.write(
                lambda connection: store.settle(connection, self._org, reservation.id, actual, now, tokens)
            )
        elif actual > 0 or tokens > 0:
            limits = self.limits(reservation.user)
            await self._db.write(lambda connection: store.book(connection, reservation, limits, actual, now, tokens))

    async def release(self, reservation: Reservation) -> None:
        """Free a reservation that cost nothing; a second time, or after ``settle``, changes nothing."""
        if reservation.held:
            now = self._clock.now()
            await self._db.write(lambda connection: store.release(connection, self._org, reservation.id, now))

    async def status(self, user: str) -> BudgetStatus:
        """Give the user's day so far."""
        now, limit = self._clock.now(), self.limits(user).user_usd
        return await self._db.read(
            lambda connection: store.status(connection, self._org, user, utc_day(now), limit_usd=limit, now=now)
        )

    async def tree(self, user: str) -> BudgetTree:
        """Give the user's day with the organisation above it and the newest runs below."""
        now, limits = self._clock.now(), self.limits(user)
        return await self._db.read(
            lambda connection: store.tree(connection, self._org, user, utc_day(now), limits=limits, now=now)
        )

    async def history(self, user: str, days: int) -> tuple[DaySpend, ...]:
        """Give the user's last ``days`` days (today is one) that saw any call, newest first."""
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        since = today - timedelta(days=min(max(days, 1), 36_500) - 1)
        return await self._db.read(lambda connection: store.history(connection, self._org, user, since.isoformat()))
