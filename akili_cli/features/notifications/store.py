"""All SQL of notifications, as functions of a connection."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.rows import newest_owned, one_of
from akili_cli.features.notifications.model import Channel, Delivery, State

_RENAMED = {"org": "org_id", "user": "user_id", "key": "notice_key"}
_CHANNEL = tuple(one.name for one in fields(Channel))
_DELIVERY = tuple(one.name for one in fields(Delivery))
_CHANNEL_COLUMNS = ", ".join(_RENAMED.get(name, name) for name in _CHANNEL)
_DELIVERY_COLUMNS = ", ".join(_RENAMED.get(name, name) for name in _DELIVERY)
_OPEN = "('claimed', 'sending')"


def add_channel(connection: Connection, channel: Channel) -> None:
    """Add a channel; raises ``ConflictError`` when the name is taken."""
    values = {name: getattr(channel, name) for name in _CHANNEL}
    values["config"] = json.dumps(dict(channel.config), sort_keys=True)
    names = ", ".join(f":{name}" for name in _CHANNEL)
    connection.execute(
        f"INSERT INTO notification_channels ({_CHANNEL_COLUMNS}, free_at) VALUES ({names}, 0.0)",  # noqa: S608 - our own names
        values,
    )


def channels(connection: Connection, org: str) -> list[Channel]:
    """Give every channel by name."""
    rows = connection.execute(
        f"SELECT {_CHANNEL_COLUMNS} FROM notification_channels WHERE org_id = :org ORDER BY name",  # noqa: S608 - our own names
        {"org": org},
    )
    return [_channel(row) for row in rows]


def channel(connection: Connection, org: str, name: str) -> Channel | None:
    """Give one channel, or None."""
    rows = connection.execute(
        f"SELECT {_CHANNEL_COLUMNS} FROM notification_channels WHERE org_id = :org AND name = :name",  # noqa: S608 - our own names
        {"org": org, "name": name},
    )
    return _channel(rows[0]) if rows else None


def page(
    connection: Connection,
    org: str,
    user: str | None,
    *,
    name: str | None,
    before: tuple[float, str] | None,
    limit: int,
) -> list[Channel]:
    """Give the newest channels of a user (None: of everybody), or the one of that name, after a place of that list."""
    ends, values = newest_owned(org, user, name=name, before=before, limit=limit)
    sql = f"SELECT {_CHANNEL_COLUMNS} FROM notification_channels {ends}"  # noqa: S608 - our own names
    return [_channel(row) for row in connection.execute(sql, values)]


def channel_of(connection: Connection, org: str, channel_id: str) -> Channel | None:
    """Give the channel of an id, or None."""
    rows = connection.execute(
        f"SELECT {_CHANNEL_COLUMNS} FROM notification_channels WHERE org_id = :org AND id = :id",  # noqa: S608 - our own names
        {"org": org, "id": channel_id},
    )
    return _channel(rows[0]) if rows else None


def change_channel(connection: Connection, channel: Channel) -> None:
    """Write what a channel is over what it was; its name stays, since others refer to it."""
    connection.execute(
        "UPDATE notification_channels SET type = :type, config = :config, credential_ref = :credential_ref, "
        "enabled = :enabled, updated_at = :updated_at WHERE org_id = :org AND id = :id",
        {
            "type": channel.type,
            "config": json.dumps(dict(channel.config), sort_keys=True),
            "credential_ref": channel.credential_ref,
            "enabled": channel.enabled,
            "updated_at": channel.updated_at,
            "org": channel.org,
            "id": channel.id,
        },
    )


def not_sent(connection: Connection, org: str, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Give of these deliveries those that failed or were cut off: their ids, each with its channel and why."""
    condition, values = one_of("id", ids)
    rows = connection.execute(
        "SELECT id, channel, reason FROM notification_deliveries WHERE org_id = :org "  # noqa: S608 - our own names
        f"AND state IN ('failed', 'interrupted') AND {condition}",
        {"org": org, **values},
    )
    return {str(row["id"]): (str(row["channel"]), str(row["reason"])) for row in rows}


def remove_channel(connection: Connection, org: str, name: str) -> None:
    """Take a channel away; what was delivered to it stays on record."""
    connection.execute(
        "DELETE FROM notification_channels WHERE org_id = :org AND name = :name", {"org": org, "name": name}
    )


def enable_channel(connection: Connection, org: str, name: str, enabled: bool, at: float) -> None:
    """Switch a channel on or off."""
    connection.execute(
        "UPDATE notification_channels SET enabled = :enabled, updated_at = :at WHERE org_id = :org AND name = :name",
        {"org": org, "name": name, "enabled": enabled, "at": at},
    )


def add_delivery(connection: Connection, delivery: Delivery) -> str:
    """Add a delivery and give its id; that of the older one when key and channel are known already."""
    values = {name: getattr(delivery, name) for name in _DELIVERY}
    values["metadata"] = json.dumps(dict(delivery.metadata), sort_keys=True)
    names = ", ".join(f":{name}" for name in _DELIVERY)
    rows = connection.execute(
        f"INSERT INTO notification_deliveries ({_DELIVERY_COLUMNS}) VALUES ({names}) "  # noqa: S608 - our own names
        "ON CONFLICT (org_id, notice_key, channel) DO NOTHING RETURNING id",
        values,
    )
    if not rows:
        rows = connection.execute(
            "SELECT id FROM notification_deliveries WHERE org_id = :org AND notice_key = :key AND channel = :channel",
            {"org": delivery.org, "key": delivery.key, "channel": delivery.channel},
        )
    return str(rows[0]["id"])


def delivery(connection: Connection, org: str, delivery_id: str) -> Delivery | None:
    """Give one delivery, or None."""
    rows = connection.execute(
        f"SELECT {_DELIVERY_COLUMNS} FROM notification_deliveries WHERE org_id = :org AND id = :id",  # noqa: S608 - our own names
        {"org": org, "id": delivery_id},
    )
    return _delivery(rows[0]) if rows else None


def deliveries(
    connection: Connection, org: str, *, limit: int, channel: str | None = None, states: Sequence[str] = ()
) -> list[Delivery]:
    """Give the newest deliveries, newest first."""
    params: dict[str, object] = {"org": org, "limit": limit}
    where = "org_id = :org"
    if channel is not None:
        where, params["channel"] = f"{where} AND channel = :channel", channel
    if states:
        condition, wanted = one_of("state", states)
        where, params = f"{where} AND {condition}", {**params, **wanted}
    rows = connection.execute(
        f"SELECT {_DELIVERY_COLUMNS} FROM notification_deliveries WHERE {where} "  # noqa: S608 - our own names
        "ORDER BY created_at DESC, id LIMIT :limit",
        params,
    )
    return [_delivery(row) for row in rows]


def claim(connection: Connection, org: str, now: float, lease_until: float, limit: int) -> list[Delivery]:
    """Take the oldest due delivery of each channel that is free, and close the channel until the lease ends.

    1. Deliveries whose channel is gone are taken too: they end without being sent. 2. The channel's row is locked, so
    that two nodes never send to one channel at once.
    """
    params: dict[str, object] = {"org": org, "now": now, "lease": lease_until, "limit": limit}
    due = "d.org_id = :org AND d.state = 'queued' AND d.due_at <= :now"
    free = connection.execute(
        "SELECT c.name AS name FROM notification_channels c WHERE c.org_id = :org AND c.free_at <= :now "  # noqa: S608 - our own names
        f"AND EXISTS (SELECT 1 FROM notification_deliveries d WHERE {due} AND d.channel = c.name) "
        "ORDER BY c.free_at, c.name LIMIT :limit {skip}",
        params,
    )
    gone = connection.execute(
        f"SELECT d.id AS id FROM notification_deliveries d WHERE {due} AND NOT EXISTS "  # noqa: S608 - our own names
        "(SELECT 1 FROM notification_channels c WHERE c.org_id = :org AND c.name = d.channel) "
        "ORDER BY d.due_at, d.id LIMIT :limit {skip}",
        params,
    )
    ids = [str(row["id"]) for row in gone]
    for row in free:
        one = {**params, "name": row["name"]}
        oldest = connection.execute(
            f"SELECT d.id AS id FROM notification_deliveries d WHERE {due} AND d.channel = :name "  # noqa: S608 - our own names
            "ORDER BY d.due_at, d.created_at, d.id LIMIT 1 {skip}",
            one,
        )
        if oldest:
            connection.execute(
                "UPDATE notification_channels SET free_at = :lease WHERE org_id = :org AND name = :name", one
            )
            ids.append(str(oldest[0]["id"]))
    return [found for one in ids if (found := _claimed(connection, {**params, "id": one})) is not None]


def _claimed(connection: Connection, params: Mapping[str, object]) -> Delivery | None:
    rows = connection.execute(
        "UPDATE notification_deliveries SET state = 'claimed', lease_until = :lease "  # noqa: S608 - our own names
        f"WHERE org_id = :org AND id = :id AND state = 'queued' RETURNING {_DELIVERY_COLUMNS}",
        params,
    )
    return _delivery(rows[0]) if rows else None


def claim_for_test(connection: Connection, org: str, delivery_id: str, lease_until: float) -> None:
    """Take a delivery that was just queued, for a single try now."""
    connection.execute(
        "UPDATE notification_deliveries SET state = 'claimed', max_tries = 1, lease_until = :lease "
        "WHERE org_id = :org AND id = :id AND state = 'queued'",
        {"org": org, "id": delivery_id, "lease": lease_until},
    )


def begin(connection: Connection, org: str, delivery_id: str, lease_until: float) -> Delivery | None:
    """Start a try of a delivery that is claimed or held; None when somebody else did, or it has ended."""
    rows = connection.execute(
        "UPDATE notification_deliveries SET state = 'sending', tries = tries + 1, lease_until = :lease "  # noqa: S608 - our own names
        "WHERE org_id = :org AND id = :id AND state IN ('claimed', 'held') "
        f"RETURNING {_DELIVERY_COLUMNS}",
        {"org": org, "id": delivery_id, "lease": lease_until},
    )
    return _delivery(rows[0]) if rows else None


def begin_part(connection: Connection, org: str, delivery_id: str, index: int, total: int, lease_until: float) -> bool:
    """Note that a part is about to be handed over; False when the delivery is no longer ours to send."""
    return bool(
        connection.changed(
            "UPDATE notification_deliveries SET in_flight = :index, parts_total = :total, lease_until = :lease "
            "WHERE org_id = :org AND id = :id AND state = 'sending' AND parts_done = :index",
            {"org": org, "id": delivery_id, "index": index, "total": total, "lease": lease_until},
        )
    )


def part_done(connection: Connection, org: str, delivery_id: str, index: int) -> None:
    """Note that a part was taken."""
    connection.execute(
        "UPDATE notification_deliveries SET in_flight = NULL, parts_done = :done WHERE org_id = :org AND id = :id",
        {"org": org, "id": delivery_id, "done": index + 1},
    )


def settle(
    connection: Connection,
    delivery: Delivery,
    state: State,
    *,
    reason: str,
    due_at: float,
    now: float,
    approval_id: str | None = None,
) -> bool:
    """Give a delivery that is under way its next state; False when it is under way no longer."""
    final = state in (State.SENT, State.FAILED, State.INTERRUPTED)
    return bool(
        connection.changed(
            "UPDATE notification_deliveries SET state = :state, reason = :reason, due_at = :due, "  # noqa: S608 - our own names
            "in_flight = NULL, "
            "lease_until = NULL, approval_id = :approval, finished_at = :finished "
            f"WHERE org_id = :org AND id = :id AND state IN {_OPEN}",
            {
                "org": delivery.org,
                "id": delivery.id,
                "state": str(state),
                "reason": reason,
                "due": due_at,
                "approval": approval_id,
                "finished": now if final else None,
            },
        )
    )


def free_channel(connection: Connection, org: str, name: str, at: float) -> None:
    """Let a channel take its next message from then on."""
    connection.execute(
        "UPDATE notification_channels SET free_at = :at WHERE org_id = :org AND name = :name",
        {"org": org, "name": name, "at": at},
    )


def lost(connection: Connection, org: str, now: float) -> list[Delivery]:
    """Give deliveries that were under way and whose lease has run out: whoever had them is gone."""
    rows = connection.execute(
        f"SELECT {_DELIVERY_COLUMNS} FROM notification_deliveries WHERE org_id = :org "  # noqa: S608 - our own names
        f"AND state IN {_OPEN} AND lease_until < :now ORDER BY created_at, id {{skip}}",
        {"org": org, "now": now},
    )
    return [_delivery(row) for row in rows]


def expire_held(connection: Connection, org: str, now: float) -> None:
    """End deliveries whose approval did not come in time."""
    connection.execute(
        "UPDATE notification_deliveries SET state = 'failed', finished_at = :now, "
        "reason = 'nobody approved it in time' WHERE org_id = :org AND state = 'held' AND due_at <= :now",
        {"org": org, "now": now},
    )


def _channel(row: Row) -> Channel:
    values = {name: row[_RENAMED.get(name, name)] for name in _CHANNEL}
    values |= {"config": json.loads(str(row["config"])), "enabled": bool(row["enabled"])}
    return Channel(**values)  # type: ignore[arg-type] # our own row


def _delivery(row: Row) -> Delivery:
    values = {name: row[_RENAMED.get(name, name)] for name in _DELIVERY}
    values |= {"metadata": json.loads(str(row["metadata"])), "state": State(str(row["state"]))}
    return Delivery(**values)  # type: ignore[arg-type] # our own row
