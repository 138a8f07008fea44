"""All SQL of API keys; every statement names the organisation."""

from __future__ import annotations

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.rows import number_or_none
from akili_cli.features.keys.model import ApiKey

_COLUMNS = "id, org_id, user_id, role, name, salt, hash, created_at, expires_at, revoked_at, last_used_at"
_LIVE = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)"


def add(connection: Connection, key: ApiKey) -> None:
    """Store a new key; raises ``ConflictError`` when the id is taken."""
    marks = ", ".join(f":{name.strip()}" for name in _COLUMNS.split(","))
    row = {
        "id": key.id,
        "org_id": key.org,
        "user_id": key.user,
        "role": key.role,
        "name": key.name,
        "salt": key.salt,
        "hash": key.hash,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
    connection.execute(f"INSERT INTO api_keys ({_COLUMNS}) VALUES ({marks})", row)  # noqa: S608  # our columns


def get(connection: Connection, org: str, key_id: str) -> ApiKey | None:
    """Find a key by its id, whatever has become of it."""
    rows = connection.execute("SELECT * FROM api_keys WHERE org_id = :org AND id = :id", {"org": org, "id": key_id})
    return _key(rows[0]) if rows else None


def keys(connection: Connection, org: str, user: str | None) -> list[ApiKey]:
    """Give a user's keys (without one: everybody's), newest first."""
    sql = (
        "SELECT * FROM api_keys WHERE org_id = :org AND (:everybody = 1 OR user_id = :user)"
        " ORDER BY created_at DESC, id"
    )
    rows = connection.execute(sql, {"org": org, "everybody": int(user is None), "user": user or ""})
    return [_key(row) for row in rows]


def has_live(connection: Connection, org: str, now: float) -> bool:
    """Tell whether any key is neither revoked nor over."""
    sql = f"SELECT 1 AS one FROM api_keys WHERE org_id = :org AND {_LIVE} LIMIT 1"  # noqa: S608  # our own words
    return bool(connection.execute(sql, {"org": org, "now": now}))


def revoke(connection: Connection, org: str, key_id: str, now: float) -> bool:
    """Revoke a key; False when it was already, or is not there."""
    sql = "UPDATE api_keys SET revoked_at = :now WHERE org_id = :org AND id = :id AND revoked_at IS NULL"
    return connection.changed(sql, {"now": now, "org": org, "id": key_id}) > 0


def used(connection: Connection, org: str, key_id: str, now: float, every_s: float) -> None:
    """Note that a key was used, unless that was noted a short while ago."""
    sql = (
        "UPDATE api_keys SET last_used_at = :now WHERE org_id = :org AND id = :id"
        " AND (last_used_at IS NULL OR last_used_at <= :before)"
    )
    connection.execute(sql, {"now": now, "org": org, "id": key_id, "before": now - every_s})


def _key(row: Row) -> ApiKey:
    return ApiKey(
        id=str(row["id"]),
        org=str(row["org_id"]),
        user=str(row["user_id"]),
        role=str(row["role"]),
        name=str(row["name"]),
        salt=str(row["salt"]),
        hash=str(row["hash"]),
        created_at=float(str(row["created_at"])),
        expires_at=number_or_none(row, "expires_at"),
        revoked_at=number_or_none(row, "revoked_at"),
        last_used_at=number_or_none(row, "last_used_at"),
    )
