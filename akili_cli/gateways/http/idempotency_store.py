"""All SQL of idempotency keys: what was asked under one, and what was answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from akili_cli.adapters.storage.base import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a key belongs: two users, or two routes, never meet under one key."""

    org: str
    user: str
    route: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is known of a key. ``status`` is None while nothing was answered; ``broken`` says that nothing will be."""

    asked: str
    created_at: float
    broken: bool
    status: int | None
    headers: Mapping[str, str]
    body: str


_WHERE = "org_id = :org AND user_id = :user AND route = :route AND idempotency_key = :key"


def claim(conn: Connection, slot: Slot, asked: str, now: float) -> bool:
    """Keep a key before anything is done under it; False when it is kept already."""
    sql = (
        "INSERT INTO idempotency_keys (org_id, user_id, route, idempotency_key, asked, created_at, broken)"
        " VALUES (:org, :user, :route, :key, :asked, :now, 0) ON CONFLICT DO NOTHING"
    )
    return conn.changed(sql, {**_values(slot), "asked": asked, "now": now}) == 1


def get(conn: Connection, slot: Slot) -> Kept | None:
    """Give what is known of a key."""
    rows = conn.execute(f"SELECT * FROM idempotency_keys WHERE {_WHERE}", _values(slot))  # noqa: S608  # our own words
    if not rows:
        return None
    row = rows[0]
    return Kept(
        asked=str(row["asked"]),
        created_at=float(str(row["created_at"])),
        broken=bool(row["broken"]),
        status=None if row["status"] is None else int(str(row["status"])),
        headers=json.loads(str(row["headers"] or "{}")),
        body=str(row["body"] or ""),
    )


def answer(conn: Connection, slot: Slot, status: int, headers: Mapping[str, str], body: str) -> None:
    """Keep what was answered."""
    sql = f"UPDATE idempotency_keys SET status = :status, headers = :headers, body = :body WHERE {_WHERE}"  # noqa: S608  # our own words
    conn.execute(sql, {**_values(slot), "status": status, "headers": json.dumps(dict(headers)), "body": body})


def give_up(conn: Connection, slot: Slot) -> None:
    """Note that nobody knows how far it came."""
    conn.execute(f"UPDATE idempotency_keys SET broken = 1 WHERE {_WHERE}", _values(slot))  # noqa: S608  # our own words


def release(conn: Connection, slot: Slot) -> None:
    """Forget a key under which nothing was done."""
    conn.execute(f"DELETE FROM idempotency_keys WHERE {_WHERE}", _values(slot))  # noqa: S608  # our own words


def forget(conn: Connection, org: str, before: float) -> None:
    """Forget the keys of an organisation that are too old to be asked for again."""
    conn.execute(
        "DELETE FROM idempotency_keys WHERE org_id = :org AND created_at < :before", {"org": org, "before": before}
    )


def _values(slot: Slot) -> dict[str, object]:
    return {"org": slot.org, "user": slot.user, "route": slot.route, "key": slot.key}
