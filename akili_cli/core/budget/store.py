"""All SQL of users' and the organisation's days, as functions of a connection that other records can share."""

from __future__ import annotations

from typing import cast

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.core.budget import runs
from akili_cli.core.budget.model import BudgetStatus, BudgetTree, DaySpend, Level, Limits, Reservation
from akili_cli.domain.errors import BudgetExceededError, NotFoundError

ROUNDING_USD = runs.ROUNDING_USD
SHOWN_RUNS = 20


def reserve(connection: Connection, hold: Reservation, limits: Limits) -> None:
    """Hold an amount at every level, or raise ``BudgetExceededError`` and hold nothing.

    Steps: 1 take the locks, always in the same order: the organisation's day (when it has a limit), the user's
    day, the runs from the root down; 2 add up what is spent and held; 3 compare each level; 4 record. The locks
    make callers and processes wait for each other.
    """
    if limits.organisation_usd is not None:
        connection.execute(
            "INSERT INTO budget_organisations (org_id, day, limit_usd) VALUES (:org, :day, :limit)"
            " ON CONFLICT (org_id, day) DO UPDATE SET limit_usd = excluded.limit_usd",
            {"org": hold.org, "day": hold.day, "limit": float(limits.organisation_usd)},
        )
    _open_day(connection, hold, limits)
    chain = runs.begin(connection, hold, limits)
    check(connection, hold, limits, chain)
    _insert(connection, hold, spent_usd=None, closed_at=None)
    runs.attach(connection, hold, chain)


def check(connection: Connection, hold: Reservation, limits: Limits, chain: tuple[str, ...] | None = None) -> None:
    """Raise ``BudgetExceededError`` when a level does not cover the hold; changes nothing."""
    _check_organisation(connection, hold, limits)
    own = _user(connection, hold.org, hold.user, hold.day, limit_usd=limits.user_usd, now=hold.created_at)
    _compare(hold, "the budget", own, _USER_SETTING)
    if chain is None:
        chain = runs.chain(connection, hold.org, hold.run_id, hold.parent_id)
    runs.check(connection, hold, chain, limits)


def check_alone(connection: Connection, hold: Reservation, limits: Limits) -> None:
    """Do what ``check`` does, in one statement for a run that has no parent and no limits of its own."""
    _check_organisation(connection, hold, limits)
    where = "org_id = :org AND user_id = :user AND day = :day"
    params = {"org": hold.org, "user": hold.user, "day": hold.day, "now": hold.created_at, "run": hold.run_id}
    figures, sums = _sums(where)
    found = "r.run_id AS run_id, r.parent_run_id AS parent, r.limit_usd AS limit_usd, r.max_tokens AS max_tokens"
    beside = "LEFT JOIN budget_runs r ON r.org_id = :org AND r.run_id = :run"
    row = connection.execute(f"SELECT {figures}, {found} FROM {sums} {beside}", params)[0]  # noqa: S608 - fixed texts
    _compare(hold, "the budget", _level("user", hold.user, limits.user_usd, row), _USER_SETTING)
    parent = hold.parent_id if row["run_id"] is None else row["parent"]
    if parent is not None or row["limit_usd"] is not None or row["max_tokens"] is not None:
        runs.check(connection, hold, runs.chain(connection, hold.org, hold.run_id, hold.parent_id), limits)


_USER_SETTING = "budget.default_limit_usd (or the user's limit in budget.users)"


def _check_organisation(connection: Connection, hold: Reservation, limits: Limits) -> None:
    if limits.organisation_usd is not None:
        day = _organisation(connection, hold.org, hold.day, hold.created_at)
        _compare(
            hold,
            "the organisation's budget",
            Level("organisation", hold.org, limits.organisation_usd, day.spent_usd, day.reserved_usd),
            "budget.organisation_limit_usd",
        )


def _compare(hold: Reservation, whose: str, level: Level, setting: str) -> None:
    limit = level.limit_usd or 0.0
    if limit - level.spent_usd - level.reserved_usd + ROUNDING_USD < hold.amount_usd:
        raise BudgetExceededError(
            f"{whose} does not cover ${hold.amount_usd:.4f}: limit ${limit:.4f},"
            f" spent ${level.spent_usd:.4f}, reserved ${level.reserved_usd:.4f} on {hold.day}",
            hint=f"wait for the next day (UTC), or raise {setting}",
        )


def _open_day(connection: Connection, hold: Reservation, limits: Limits) -> None:
    connection.execute(
        "INSERT INTO budgets (org_id, user_id, day, limit_usd, spent_usd, spent_tokens)"
        " VALUES (:org, :user, :day, :limit, 0, 0)"
        " ON CONFLICT (org_id, user_id, day) DO UPDATE SET limit_usd = excluded.limit_usd",
        {"org": hold.org, "user": hold.user, "day": hold.day, "limit": float(limits.user_usd)},
    )


def _insert(connection: Connection, hold: Reservation, *, spent_usd: float | None, closed_at: float | None) -> None:
    connection.execute(
        "INSERT INTO budget_reservations"
        " (id, org_id, user_id, day, run_id, amount_usd, tokens, spent_usd, created_at, expires_at, closed_at)"
        " VALUES (:id, :org, :user, :day, :run, :amount, :tokens, :spent, :created, :expires, :closed)",
        {
            "id": hold.id,
            "org": hold.org,
            "user": hold.user,
            "day": hold.day,
            "run": hold.run_id,
            "amount": float(hold.amount_usd),
            "tokens": hold.tokens,
            "spent": spent_usd,
            "created": hold.created_at,
            "expires": hold.expires_at,
            "closed": closed_at,
        },
    )


def settle(
    connection: Connection, org: str, reservation_id: str, actual_usd: float, now: float, tokens: int = 0
) -> bool:
    """Add what a call really cost to its day and runs and close its reservation; False when that was done before.

    An expired or released reservation still takes its cost: money that was spent is never forgotten. Raises
    ``NotFoundError`` for an id that was never reserved here.
    """
    closed = connection.execute(
        "UPDATE budget_reservations SET spent_usd = :actual, closed_at = :now"
        " WHERE id = :id AND org_id = :org AND spent_usd IS NULL RETURNING user_id, day, run_id",
        {"id": reservation_id, "org": org, "actual": float(actual_usd), "now": now},
    )
    if not closed:
        _known(connection, org, reservation_id)
        return False
    row = closed[0]
    _spend(connection, org, str(row["user_id"]), str(row["day"]), float(actual_usd), tokens)
    runs.book(connection, org, str(row["run_id"]), float(actual_usd), tokens)
    runs.detach(connection, org, reservation_id)
    return True


def book(connection: Connection, hold: Reservation, limits: Limits, actual_usd: float, now: float, tokens: int) -> None:
    """Record the cost of a call for which nothing was held."""
    _open_day(connection, hold, limits)
    runs.begin(connection, hold, limits)
    _insert(connection, hold, spent_usd=float(actual_usd), closed_at=now)
    _spend(connection, hold.org, hold.user, hold.day, float(actual_usd), tokens)
    runs.book(connection, hold.org, hold.run_id, float(actual_usd), tokens)


def _spend(connection: Connection, org: str, user: str, day: str, usd: float, tokens: int) -> None:
    connection.execute(
        "UPDATE budgets SET spent_usd = spent_usd + :usd, spent_tokens = coalesce(spent_tokens, 0) + :tokens"
        " WHERE org_id = :org AND user_id = :user AND day = :day",
        {"usd": usd, "tokens": tokens, "org": org, "user": user, "day": day},
    )


def release(connection: Connection, org: str, reservation_id: str, now: float) -> bool:
    """Close a reservation without a cost; False when it was closed before.

    Raises ``NotFoundError`` for an id that was never reserved here.
    """
    sql = "UPDATE budget_reservations SET closed_at = :now WHERE id = :id AND org_id = :org AND closed_at IS NULL"
    if connection.changed(sql, {"id": reservation_id, "org": org, "now": now}) == 1:
        runs.detach(connection, org, reservation_id)
        return True
    _known(connection, org, reservation_id)
    return False


def status(connection: Connection, org: str, user: str, day: str, *, limit_usd: float, now: float) -> BudgetStatus:
    """Give a user's day; one without a row has spent nothing."""
    own = _user(connection, org, user, day, limit_usd=limit_usd, now=now)
    return BudgetStatus(limit_usd, own.spent_usd, own.reserved_usd, own.remaining_usd or 0.0, day)


def tree(connection: Connection, org: str, user: str, day: str, *, limits: Limits, now: float) -> BudgetTree:
    """Give a user's day with the organisation above and the runs below."""
    whole = _organisation(connection, org, day, now)
    return BudgetTree(
        day,
        Level(
            "organisation",
            org,
            limits.organisation_usd,
            whole.spent_usd,
            whole.reserved_usd,
            whole.spent_tokens,
            whole.reserved_tokens,
        ),
        _user(connection, org, user, day, limit_usd=limits.user_usd, now=now),
        runs.of_user(connection, org, user, day, now=now, limit=SHOWN_RUNS),
    )


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


_OPEN = "closed_at IS NULL AND expires_at > :now"
_SUMS = "coalesce(sum({usd}), 0.0) AS usd, CAST(coalesce(sum({tokens}), 0) AS bigint) AS tokens"


def _user(connection: Connection, org: str, user: str, day: str, *, limit_usd: float, now: float) -> Level:
    where = "org_id = :org AND user_id = :user AND day = :day"
    return _level(
        "user", user, limit_usd, _summed(connection, where, {"org": org, "user": user, "day": day, "now": now})
    )


def _organisation(connection: Connection, org: str, day: str, now: float) -> Level:
    where = "org_id = :org AND day = :day"
    return _level("organisation", org, None, _summed(connection, where, {"org": org, "day": day, "now": now}))


def _summed(connection: Connection, where: str, params: dict[str, object]) -> Row:
    figures, sums = _sums(where)
    return connection.execute(f"SELECT {figures} FROM {sums}", params)[0]  # noqa: S608 - fixed texts


def _sums(where: str) -> tuple[str, str]:
    """Add up spent and held in one statement, so that a call settled in between is never missed."""
    sums = _SUMS.format(usd="spent_usd", tokens="spent_tokens")
    spent = f"SELECT {sums} FROM budgets WHERE {where}"  # noqa: S608 - fixed texts
    sums = _SUMS.format(usd="amount_usd", tokens="tokens")
    held = f"SELECT {sums} FROM budget_reservations WHERE {where} AND {_OPEN}"  # noqa: S608 - fixed texts
    figures = "s.usd AS spent, s.tokens AS spent_tokens, h.usd AS held, h.tokens AS held_tokens"
    return figures, f"({spent}) s CROSS JOIN ({held}) h"


def _level(level: str, name: str, limit_usd: float | None, row: Row) -> Level:
    return Level(
        "user" if level == "user" else "organisation",
        name,
        limit_usd,
        cast("float", row["spent"]),
        cast("float", row["held"]),
        cast("int", row["spent_tokens"]),
        cast("int", row["held_tokens"]),
    )


def _known(connection: Connection, org: str, reservation_id: str) -> None:
    sql = "SELECT 1 AS found FROM budget_reservations WHERE id = :id AND org_id = :org"
    if not connection.execute(sql, {"id": reservation_id, "org": org}):
        raise NotFoundError(f"no budget reservation {reservation_id!r}")
