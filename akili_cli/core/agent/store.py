"""All SQL of the conversations, as functions of a connection; every statement names the organisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from akili_cli.adapters.storage.base import Connection, Row

RESULT_PAGE = 100


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message as a row holds it: ``blocks`` is JSON and the truth, ``content`` its plain text."""

    role: str
    content: str
    blocks: str
    token_estimate: int


def create(connection: Connection, org: str, user: str, conversation_id: str, now: float) -> None:
    """Begin an empty conversation."""
    connection.execute(
        "INSERT INTO conversations (id, org_id, user_id, created_at, updated_at, title)"
        " VALUES (:id, :org, :user, :now, :now, '')",
        {"id": conversation_id, "org": org, "user": user, "now": now},
    )


def is_owner(connection: Connection, org: str, user: str, conversation_id: str) -> bool:
    """Tell whether the conversation exists and is the user's."""
    sql = "SELECT 1 AS found FROM conversations WHERE id = :id AND org_id = :org AND user_id = :user"
    return bool(connection.execute(sql, {"id": conversation_id, "org": org, "user": user}))


def touch(connection: Connection, org: str, user: str | None, conversation_id: str, *, title: str, now: float) -> bool:
    """Take the conversation's lock and note the change; False when it is not there or not the user's.

    ``user`` None stands for anybody of the organisation. ``title`` is taken when there is none yet.
    """
    sql = (
        "UPDATE conversations SET updated_at = :now,"
        " title = CASE WHEN title = '' THEN CAST(:title AS text) ELSE title END"
        " WHERE id = :id AND org_id = :org"
    )
    if user is not None:
        sql += " AND user_id = :user"
    params = {"id": conversation_id, "org": org, "user": user, "title": title, "now": now}
    return connection.changed(sql, params) == 1


def holds(connection: Connection, conversation_id: str, run_id: str) -> bool:
    """Tell whether the messages of a run are there already."""
    sql = "SELECT 1 AS found FROM conversation_messages WHERE conversation_id = :id AND run_id = :run LIMIT 1"
    return bool(connection.execute(sql, {"id": conversation_id, "run": run_id}))


def append(
    connection: Connection,
    conversation_id: str,
    messages: tuple[StoredMessage, ...],
    now: float,
    run_id: str | None = None,
) -> None:
    """Add messages, of that run if it says so, in their order; the caller holds the lock (``touch``)."""
    last = connection.execute(
        "SELECT coalesce(max(seq), 0) AS seq FROM conversation_messages WHERE conversation_id = :id",
        {"id": conversation_id},
    )[0]["seq"]
    for seq, message in enumerate(messages, start=cast("int", last) + 1):
        connection.execute(
            "INSERT INTO conversation_messages"
            " (conversation_id, seq, role, content, blocks, token_estimate, created_at, run_id)"
            " VALUES (:id, :seq, :role, :content, :blocks, :tokens, :now, :run)",
            {
                "id": conversation_id,
                "seq": seq,
                "role": message.role,
                "content": message.content,
                "blocks": message.blocks,
                "tokens": message.token_estimate,
                "now": now,
                "run": run_id,
            },
        )


def newest(connection: Connection, conversation_id: str, limit: int) -> list[Row]:
    """Give ``role`` and ``blocks`` of the newest messages, oldest first."""
    rows = connection.execute(
        "SELECT role, blocks FROM conversation_messages WHERE conversation_id = :id ORDER BY seq DESC LIMIT :limit",
        {"id": conversation_id, "limit": limit},
    )
    return rows[::-1]


def user_messages_back(connection: Connection, conversation_id: str) -> Iterator[Row]:
    """Yield ``seq`` and ``blocks`` of the messages that may hold tool results, newest first."""
    below = 2**62
    while True:
        rows = connection.execute(
            "SELECT seq, blocks FROM conversation_messages"
            " WHERE conversation_id = :id AND role = 'user' AND seq < :below ORDER BY seq DESC LIMIT :page",
            {"id": conversation_id, "below": below, "page": RESULT_PAGE},
        )
        yield from rows
        if len(rows) < RESULT_PAGE:
            return
        below = cast("int", rows[-1]["seq"])


def replace(connection: Connection, conversation_id: str, seq: int, message: StoredMessage) -> None:
    """Write another text over one message."""
    connection.execute(
        "UPDATE conversation_messages SET blocks = :blocks, content = :content, token_estimate = :tokens"
        " WHERE conversation_id = :id AND seq = :seq",
        {
            "id": conversation_id,
            "seq": seq,
            "blocks": message.blocks,
            "content": message.content,
            "tokens": message.token_estimate,
        },
    )


def recent(connection: Connection, org: str, user: str, limit: int) -> list[Row]:
    """Give the user's conversations, the last changed first."""
    return connection.execute(
        "SELECT id, title, created_at, updated_at FROM conversations"
        " WHERE org_id = :org AND user_id = :user ORDER BY updated_at DESC, created_at DESC, id LIMIT :limit",
        {"org": org, "user": user, "limit": limit},
    )


_OWN = (
    "SELECT c.id, c.user_id, c.title, c.created_at, c.updated_at,"
    " (SELECT count(*) FROM conversation_messages AS m WHERE m.conversation_id = c.id) AS messages"
    " FROM conversations AS c WHERE c.org_id = :org AND c.user_id = :user"
)


def own(connection: Connection, org: str, user: str, *, before: tuple[float, str] | None, limit: int) -> list[Row]:
    """Give a user's conversations with how many messages each has, the last changed first."""
    where, params = "", dict[str, object](org=org, user=user, limit=limit)
    if before is not None:
        where = " AND (c.updated_at < :at OR (c.updated_at = :at AND c.id < :id))"
        params |= {"at": before[0], "id": before[1]}
    return connection.execute(f"{_OWN}{where} ORDER BY c.updated_at DESC, c.id DESC LIMIT :limit", params)


def one(connection: Connection, org: str, user: str, conversation_id: str) -> list[Row]:
    """Give one conversation of a user, or nothing."""
    return connection.execute(f"{_OWN} AND c.id = :id", {"org": org, "user": user, "id": conversation_id})


def last_messages(connection: Connection, conversation_id: str, limit: int) -> list[Row]:
    """Give the newest messages whole, oldest of them first."""
    rows = connection.execute(
        "SELECT seq, role, content, blocks, created_at FROM conversation_messages"
        " WHERE conversation_id = :id ORDER BY seq DESC LIMIT :limit",
        {"id": conversation_id, "limit": limit},
    )
    return rows[::-1]


def remove(connection: Connection, org: str, user: str, conversation_id: str) -> bool:
    """Delete a user's conversation with its messages; False when it is not there or not the user's."""
    if not touch(connection, org, user, conversation_id, title="", now=0.0):
        return False
    connection.execute("DELETE FROM conversation_messages WHERE conversation_id = :id", {"id": conversation_id})
    connection.execute(
        "DELETE FROM conversations WHERE org_id = :org AND id = :id", {"org": org, "id": conversation_id}
    )
    return True
