"""SQL of runs and their children: a call counts against its run and every run above it."""

from __future__ import annotations

from typing import cast

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.core.budget.model import Level, Limits, Reservation
from akili_cli.domain.errors import BudgetExceededError, NotFoundError, RefusedError

ROUNDING_USD = 1e-9
MAX_DEPTH = 16


def chain(connection: Connection, org: str, run_id: str, parent_id: str | None = None) -> tuple[str, ...]:
    """Give a run and every run above it, the root first.

    ``parent_id`` counts only for a run that is not known yet. Raises ``NotFoundError`` for a parent nobody
    began, ``RefusedError`` for a circle or more than 16 generations.
    """
    found = [run_id]
    rows = _row(connection, org, run_id)
    above = cast("str | None", rows[0]["parent_run_id"]) if rows else parent_id
    while above is not None:
        if above in found or len(found) >= MAX_DEPTH:
            raise RefusedError(f"run {run_id[:80]!r} is nested in itself or deeper than {MAX_DEPTH} generations")
        rows = _row(connection, org, above)
        if not rows:
            raise NotFoundError(f"no run {above[:80]!r} whose budget this run could share")
        found.append(above)
        above = cast("str | None", rows[0]["parent_run_id"])
    return tuple(reversed(found))


def begin(connection: Connection, hold: Reservation, limits: Limits) -> tuple[str, ...]:
    """Make a run known, with its limits, and give its chain, each run locked, the root first."""
    runs = chain(connection, hold.org, hold.run_id, hold.parent_id)
    for above in runs[:-1]:
        connection.execute(
            "UPDATE budget_runs SET spent_usd = spent_usd + 0 WHERE org_id = :org AND run_id = :run",
            {"org": hold.org, "run": above},
        )
    connection.execute(
        "INSERT INTO budget_runs"
        " (org_id, run_id, parent_run_id, user_id, day, started_at, limit_usd, max_tokens, spent_usd, spent_tokens)"
        " VALUES (:org, :run, :parent, :user, :day, :now, :limit, :tokens, 0, 0)"
        " ON CONFLICT (org_id, run_id) DO UPDATE SET"
        " limit_usd = coalesce(excluded.limit_usd, budget_runs.limit_usd),"
        " max_tokens = coalesce(excluded.max_tokens, budget_runs.max_tokens)",
        {
            "org": hold.org,
            "run": hold.run_id,
            "parent": hold.parent_id,
            "user": hold.user,
            "day": hold.day,
            "now": hold.created_at,
            "limit": limits.run_usd,
            "tokens": limits.run_tokens,
        },
    )
    return runs


def check(connection: Connection, hold: Reservation, runs: tuple[str, ...], limits: Limits) -> None:
    """Raise ``BudgetExceededError`` when a run of the chain cannot cover the hold."""
    for run_id in runs:
        own = run_id == hold.run_id
        rows = _row(connection, hold.org, run_id)
        limit_usd = cast("float | None", rows[0]["limit_usd"]) if rows else limits.run_usd if own else None
        max_tokens = cast("int | None", rows[0]["max_tokens"]) if rows else limits.run_tokens if own else None
        if not rows or (limit_usd is None and max_tokens is None):
            continue
        spent, tokens = cast("float", rows[0]["spent_usd"]), cast("int", rows[0]["spent_tokens"])
        held, held_tokens = _held(connection, hold.org, run_id, hold.created_at)
        who = "this run" if own else f"the run above ({run_id[:8]})"
        if limit_usd is not None and limit_usd - spent - held + ROUNDING_USD < hold.amount_usd:
            raise BudgetExceededError(
                f"the budget of {who} does not cover ${hold.amount_usd:.4f}: limit ${limit_usd:.4f},"
                f" spent ${spent:.4f}, reserved ${held:.4f}",
                hint="raise --max-cost or budget.run_limit_usd, or ask for less",
            )
        if max_tokens is not None and max_tokens - tokens - held_tokens < hold.tokens:
            raise BudgetExceededError(
                f"the token limit of {who} does not cover {hold.tokens} tokens: limit {max_tokens},"
                f" used {tokens}, reserved {held_tokens}",
                hint="raise budget.max_tokens_per_run, or lower providers.<name>.max_tokens",
            )


def attach(connection: Connection, hold: Reservation, runs: tuple[str, ...]) -> None:
    """Let every run of the chain count a reservation."""
    for run_id in runs:
        connection.execute(
            "INSERT INTO budget_run_holds (org_id, run_id, reservation_id) VALUES (:org, :run, :id)",
            {"org": hold.org, "run": run_id, "id": hold.id},
        )


def detach(connection: Connection, org: str, reservation_id: str) -> None:
    """Stop counting a reservation that is closed."""
    connection.execute(
        "DELETE FROM budget_run_holds WHERE org_id = :org AND reservation_id = :id", {"org": org, "id": reservation_id}
    )


def book(connection: Connection, org: str, run_id: str, usd: float, tokens: int) -> None:
    """Add what was really spent to a run and every run above it."""
    for name in chain(connection, org, run_id):
        connection.execute(
            "UPDATE budget_runs SET spent_usd = spent_usd + :usd, spent_tokens = spent_tokens + :tokens"
            " WHERE org_id = :org AND run_id = :run",
            {"usd": usd, "tokens": tokens, "org": org, "run": name},
        )


def of_user(connection: Connection, org: str, user: str, day: str, *, now: float, limit: int) -> tuple[Level, ...]:
    """Give a user's runs that began on a day, newest first."""
    rows = connection.execute(
        "SELECT * FROM budget_runs WHERE org_id = :org AND user_id = :user AND day = :day"
        " ORDER BY started_at DESC, run_id LIMIT :limit",
        {"org": org, "user": user, "day": day, "limit": limit},
    )
    return tuple(_level(row, _held(connection, org, str(row["run_id"]), now)) for row in rows)


def _level(row: Row, held: tuple[float, int]) -> Level:
    return Level(
        "run",
        str(row["run_id"]),
        cast("float | None", row["limit_usd"]),
        cast("float", row["spent_usd"]),
        held[0],
        cast("int", row["spent_tokens"]),
        held[1],
        cast("int | None", row["max_tokens"]),
        cast("str | None", row["parent_run_id"]),
    )


def _row(connection: Connection, org: str, run_id: str) -> list[Row]:
    sql = "SELECT * FROM budget_runs WHERE org_id = :org AND run_id = :run"
    return connection.execute(sql, {"org": org, "run": run_id})


def _held(connection: Connection, org: str, run_id: str, now: float) -> tuple[float, int]:
    rows = connection.execute(
        "SELECT coalesce(sum(r.amount_usd), 0.0) AS usd, CAST(coalesce(sum(r.tokens), 0) AS bigint) AS tokens"
        " FROM budget_run_holds h JOIN budget_reservations r ON r.id = h.reservation_id"
        " WHERE h.org_id = :org AND h.run_id = :run AND r.closed_at IS NULL AND r.expires_at > :now",
        {"org": org, "run": run_id, "now": now},
    )
    return cast("float", rows[0]["usd"]), cast("int", rows[0]["tokens"])
