"""All SQL of alert rules and their history; every statement names the organisation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.rows import newest_owned, number_or_none, older_than, one_of
from akili_cli.features.alerts.model import AlertRule, Check, Entry, Seen, Standing, State

_DEFINED = (
    "name, description, target, check_type, check_config, cron_expression, channels, enabled, cooldown_seconds,"
    " needed, window_size, next_run_at, updated_at, muted_until"
)
_STATE = "last_status, announced_status, recent, flapping, last_checked_at, last_alerted_at"
_COLUMNS = f"id, org_id, user_id, created_at, {_DEFINED}, {_STATE}"
_ENTRY = (
    "id, org_id, rule_id, fire_id, found, status, previous_status, message, announced, notified_via, deliveries,"
    " check_duration_ms, created_at"
)


def add(connection: Connection, rule: AlertRule) -> None:
    """Store a new rule; raises ``ConflictError`` when the name is taken."""
    connection.execute(f"INSERT INTO alert_rules ({_COLUMNS}) VALUES ({_marks(_COLUMNS)})", _row(rule))  # noqa: S608  # our columns


def change(connection: Connection, rule: AlertRule) -> None:
    """Write what people say of a rule over what they said before; raises ``ConflictError`` for a name that is taken."""
    _update(connection, _DEFINED, rule)


def settle(connection: Connection, rule: AlertRule) -> None:
    """Write where a rule stands after a check; what people say of it stays."""
    _update(connection, _STATE, rule)


def forget_recent(connection: Connection, rule: AlertRule) -> None:
    """Drop what a rule remembers of its last checks: they were of something else."""
    sql = "UPDATE alert_rules SET recent = '[]', flapping = 0 WHERE org_id = :org AND id = :id"
    connection.execute(sql, {"org": rule.org, "id": rule.id})


def remove(connection: Connection, org: str, rule_id: str) -> None:
    """Forget a rule; its history stays."""
    connection.execute("DELETE FROM alert_rules WHERE org_id = :org AND id = :id", {"org": org, "id": rule_id})


def rules(connection: Connection, org: str) -> list[AlertRule]:
    """Give every rule by name."""
    rows = connection.execute("SELECT * FROM alert_rules WHERE org_id = :org ORDER BY name", {"org": org})
    return [_rule(row) for row in rows]


def page(
    connection: Connection,
    org: str,
    user: str | None,
    *,
    name: str | None,
    before: tuple[float, str] | None,
    limit: int,
) -> list[AlertRule]:
    """Give the newest rules of a user (None: of everybody), or the one of that name, after a place of that list."""
    ends, values = newest_owned(org, user, name=name, before=before, limit=limit)
    return [_rule(row) for row in connection.execute(f"SELECT * FROM alert_rules {ends}", values)]  # noqa: S608  # our marks


def get(connection: Connection, org: str, rule_id: str) -> AlertRule | None:
    """Find a rule by its id."""
    rows = connection.execute("SELECT * FROM alert_rules WHERE org_id = :org AND id = :id", {"org": org, "id": rule_id})
    return _rule(rows[0]) if rows else None


def due(connection: Connection, org: str, now: float, limit: int) -> list[AlertRule]:
    """Give enabled rules that are due, oldest first, kept from other nodes until this transaction ends."""
    sql = (
        "SELECT * FROM alert_rules WHERE org_id = :org AND enabled = 1 AND next_run_at <= :now"
        " ORDER BY next_run_at, id LIMIT :limit {skip}"
    )
    return [_rule(row) for row in connection.execute(sql, {"org": org, "now": now, "limit": limit})]


def next_at(connection: Connection, org: str) -> float | None:
    """Give the earliest next check of an enabled rule."""
    sql = "SELECT min(next_run_at) AS at FROM alert_rules WHERE org_id = :org AND enabled = 1"
    at = connection.execute(sql, {"org": org})[0]["at"]
    return None if at is None else float(str(at))


def advance(connection: Connection, org: str, rule_id: str, next_run_at: float) -> None:
    """Move a rule on."""
    sql = "UPDATE alert_rules SET next_run_at = :at WHERE org_id = :org AND id = :id"
    connection.execute(sql, {"at": next_run_at, "org": org, "id": rule_id})


def hasten(connection: Connection, org: str, rule_id: str, at: float) -> None:
    """Let a rule check at that time, if it would later."""
    sql = "UPDATE alert_rules SET next_run_at = :at WHERE org_id = :org AND id = :id AND next_run_at > :at"
    connection.execute(sql, {"at": at, "org": org, "id": rule_id})


def note(connection: Connection, entry: Entry) -> None:
    """Append to the history."""
    values = {
        "id": entry.id,
        "org_id": entry.org,
        "rule_id": entry.rule_id,
        "fire_id": entry.fire_id,
        "found": str(entry.found),
        "status": str(entry.status),
        "previous_status": str(entry.previous_status),
        "message": entry.message,
        "announced": entry.announced,
        "notified_via": json.dumps(entry.notified_via),
        "deliveries": json.dumps(entry.deliveries),
        "check_duration_ms": entry.check_duration_ms,
        "created_at": entry.created_at,
    }
    connection.execute(f"INSERT INTO alert_history ({_ENTRY}) VALUES ({_marks(_ENTRY)})", values)  # noqa: S608  # our columns


def history(
    connection: Connection,
    org: str,
    rule_ids: Sequence[str] | None,
    limit: int,
    before: tuple[float, str] | None = None,
) -> list[Entry]:
    """Give the newest entries, of all rules or of these; those after a place of that list."""
    values: dict[str, object] = {"org": org, "limit": limit}
    only = ""
    if rule_ids is not None:
        condition, params = one_of("rule_id", rule_ids)
        only, values = f" AND {condition}", {**values, **params}
    older, place = older_than(before)
    only, values = f"{only}{older}", {**values, **place}
    sql = f"SELECT * FROM alert_history WHERE org_id = :org{only} ORDER BY created_at DESC, id DESC LIMIT :limit"  # noqa: S608  # our marks
    return [_entry(row) for row in connection.execute(sql, values)]


def _marks(columns: str) -> str:
    return ", ".join(f":{name.strip()}" for name in columns.split(","))


def _update(connection: Connection, columns: str, rule: AlertRule) -> None:
    sets = ", ".join(f"{name.strip()} = :{name.strip()}" for name in columns.split(","))
    row = _row(rule)
    values = {name.strip(): row[name.strip()] for name in f"id, org_id, {columns}".split(",")}
    connection.execute(f"UPDATE alert_rules SET {sets} WHERE org_id = :org_id AND id = :id", values)  # noqa: S608  # our columns


def _row(rule: AlertRule) -> dict[str, object]:
    state = rule.state
    return {
        "id": rule.id,
        "org_id": rule.org,
        "user_id": rule.user,
        "created_at": rule.created_at,
        "name": rule.name,
        "description": rule.description,
        "target": rule.check.target,
        "check_type": rule.check.type,
        "check_config": json.dumps(dict(rule.check.config)),
        "cron_expression": rule.cron_expression,
        "channels": json.dumps(list(rule.channels)),
        "enabled": int(rule.enabled),
        "cooldown_seconds": rule.cooldown_seconds,
        "needed": rule.needed,
        "window_size": rule.window,
        "next_run_at": rule.next_run_at,
        "updated_at": rule.updated_at,
        "muted_until": rule.muted_until,
        "last_status": str(state.status),
        "announced_status": str(state.announced),
        "recent": json.dumps([[str(one.found), one.turned] for one in state.recent]),
        "flapping": int(state.flapping),
        "last_checked_at": state.last_checked_at,
        "last_alerted_at": state.last_alerted_at,
    }


def _rule(row: Row) -> AlertRule:
    return AlertRule(
        id=str(row["id"]),
        org=str(row["org_id"]),
        name=str(row["name"]),
        description=str(row["description"]),
        check=Check(str(row["check_type"]), str(row["target"]), json.loads(str(row["check_config"]))),
        cron_expression=str(row["cron_expression"]),
        channels=tuple(json.loads(str(row["channels"]))),
        user=str(row["user_id"]),
        enabled=bool(row["enabled"]),
        cooldown_seconds=int(str(row["cooldown_seconds"])),
        needed=int(str(row["needed"])),
        window=int(str(row["window_size"])),
        next_run_at=float(str(row["next_run_at"])),
        created_at=float(str(row["created_at"])),
        updated_at=float(str(row["updated_at"])),
        muted_until=number_or_none(row, "muted_until"),
        state=State(
            status=Standing(str(row["last_status"])),
            announced=Standing(str(row["announced_status"])),
            recent=tuple(Seen(Standing(found), bool(turned)) for found, turned in json.loads(str(row["recent"]))),
            flapping=bool(row["flapping"]),
            last_checked_at=number_or_none(row, "last_checked_at"),
            last_alerted_at=number_or_none(row, "last_alerted_at"),
        ),
    )


def _entry(row: Row) -> Entry:
    return Entry(
        id=str(row["id"]),
        org=str(row["org_id"]),
        rule_id=str(row["rule_id"]),
        fire_id=str(row["fire_id"]),
        found=Standing(str(row["found"])),
        status=Standing(str(row["status"])),
        previous_status=Standing(str(row["previous_status"])),
        message=str(row["message"]),
        announced=str(row["announced"]),
        notified_via=tuple(json.loads(str(row["notified_via"]))),
        deliveries=tuple(json.loads(str(row["deliveries"]))),
        check_duration_ms=float(str(row["check_duration_ms"])),
        created_at=float(str(row["created_at"])),
    )
