"""All SQL of the budget, as functions of a connection, so that other records can share the transaction."""

from __future__ import annotations

from typing import cast

from akili_cli.adapters.storage.base import Connection
from akili_cli.core.budget.model import BudgetStatus, DaySpend, Reservation
from akili_cli.domain.errors import BudgetExceededError, NotFoundError

ROUNDING_USD = 1e-9


def reserve(connection: Connection, hold: Reservation, limit_usd: float) -> None:
    """Hold an amount, or raise ``BudgetExceededError``.

    Steps: 1 take the lock of the day's row (made when absent, always with the limit of the config), 2 add up
    what is held, 3 compare, 4 record. The lock makes callers and processes wait for each other.
    """
    day = connection.execute(
        "INSERT INTO budgets (org_id, user_id, day, limit_usd, spent_usd)"
        " VALUES (:org, :user, :day, :limit, 0)"
        " ON CONFLICT (org_id, user_id, day) DO UPDATE SET limit_usd = excluded.limit_usd"
        " RETURNING spent_usd",
        {"org": hold.org, "user": hold.user, "day": hold.day, "limit": float(limit_usd)},
    )[0]
    spent = cast("float", day["spent_usd"])
    reserved = _reserved(connection, hold.org, hold.user, hold.day, hold.created_at)
    if limit_usd - spent - reserved + ROUNDING_USD < hold.amount_usd:
        raise BudgetExceededError(
            f"the budget does not cover ${hold.amount_usd:.4f}: limit ${limit_usd:.4f},"
            f" spent ${spent:.4f}, reserved ${reserved:.4f} on {hold.day}",
            hint="wait for the next day (UTC), or raise budget.default_limit_usd",
        )
    connection.execute(
        "INSERT INTO budget_reservations"
        " (id, org_id, user_id, day, run_id, amount_usd, created_at, expires_at)"
        " VALUES (:id, :org, :user, :day, :run, :amount, :created, :expires)",
        {
            "id": hold.id,
            "org": hold.org,
            "user": hold.user,
            "day": hold.day,
            "run": hold.run_id,
            "amount": float(hold.amount_usd),
            "created": hold.created_at,
            "expires": hold.expires_at,
        },
    )


def settle(connection: Connection, org: str, reservation_id: str, actual_usd: float, now: float) -> bool:
    """Add what a call really cost to its day and close its reservation; False when that was done before.

    An expired or released reservation still takes its cost: money that was spent is never forgotten. Raises
    ``NotFoundError`` for an id that was never reserved here.
    """
    closed = connection.execute(
        "UPDATE budget_reservations SET spent_usd = :actual, closed_at = :now"
        " WHERE id = :id AND org_id = :org AND spent_usd IS NULL RETURNING user_id, day",
        {"id": reservation_id, "org": org, "actual": float(actual_usd), "now": now},
    )
    if not closed:
        _known(connection, org, reservation_id)
        return False
    connection.execute(
        "UPDATE budgets SET spent_usd = spent_usd + :actual WHERE org_id = :org AND user_id = :user AND day = :day",
        {"actual": float(actual_usd), "org": org, "user": closed[0]["user_id"], "day": closed[0]["day"]},
    )
    return True


def release(connection: Connection, org: str, reservation_id: str, now: float) -> bool:
    """Close a reservation without a cost; False when it was closed before.

    Raises ``NotFoundError`` for an id that was never reserved here.
    """
    sql = "UPDATE budget_reservations SET closed_at = :now WHERE id = :id AND org_id = :org AND closed_at IS NULL"
    if connection.changed(sql, {"id": reservation_id, "org": org, "now": now}) == 1:
        return True
    _known(connection, org, reservation_id)
    return False


def status(connection: Connection, org: str, user: str, day: str, *, limit_usd: float, now: float) -> BudgetStatus:
    """Give a user's day; one without a row has spent nothing."""
    rows = connection.execute(
        "SELECT spent_usd FROM budgets WHERE org_id = :org AND user_id = :user AND day = :day",
        {"org": org, "user": user, "day": day},
    )
    spent = cast("float", rows[0]["spent_usd"]) if rows else 0.0
    reserved = _reserved(connection, org, user, day, now)
    return BudgetStatus(limit_usd, spent, reserved, max(0.0, limit_usd - spent - reserved), day)


def history(connection: Connection, org: str, user: str, since_day: str) -> tuple[DaySpend, ...]:
    """Give the days from ``since_day`` on that saw a reservation, newest first."""
    rows = connection.execute(
        "SELECT day, limit_usd, spent_usd FROM budgets"
        " WHERE org_id = :org AND user_id = :user AND day >= :since ORDER BY day DESC",
        {"org": org, "user": user, "since": since_day},
    )
    return tuple(
        DaySpend(str(row["day"]), cast("float", row["limit_usd"]), cast("float", row["spent_usd"])) for row in rows
    )


def _reserved(connection: Connection, org: str, user: str, day: str, now: float) -> float:
    rows = connection.execute(
        "SELECT coalesce(sum(amount_usd), 0.0) AS held FROM budget_reservations"
        " WHERE org_id = :org AND user_id = :user AND day = :day AND closed_at IS NULL AND expires_at > :now",
        {"org": org, "user": user, "day": day, "now": now},
    )
    return cast("float", rows[0]["held"])


def _known(connection: Connection, org: str, reservation_id: str) -> None:
    sql = "SELECT 1 AS found FROM budget_reservations WHERE id = :id AND org_id = :org"
    if not connection.execute(sql, {"id": reservation_id, "org": org}):
        raise NotFoundError(f"no budget reservation {reservation_id!r}")
