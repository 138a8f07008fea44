"""All SQL of questions. What came of one stands in its fire."""

from __future__ import annotations

import json

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.rows import number_or_none
from akili_cli.core.schedule.base import FireStatus
from akili_cli.features.queries.model import Query, QueryDraft

_SELECT = (
    "SELECT q.*, f.status, f.finished_at, f.error, f.cost_usd, f.details FROM queries AS q"
    " JOIN fires AS f ON f.org_id = q.org_id AND f.id = 'query:' || q.id || ':once'"
)


def add(conn: Connection, query: Query) -> None:
    """Keep a question."""
    conn.execute(
        "INSERT INTO queries (org_id, id, user_id, source, correlation_id, conversation_id, draft, created_at)"
        " VALUES (:org, :id, :user, :source, :correlation, :conversation, :draft, :now)",
        {
            "org": query.org,
            "id": query.id,
            "user": query.user,
            "source": query.source,
            "correlation": query.correlation_id,
            "conversation": query.conversation_id,
            "draft": query.draft.model_dump_json(),
            "now": query.created_at,
        },
    )


def get(conn: Connection, org: str, query_id: str) -> Query | None:
    """Find one."""
    rows = conn.execute(f"{_SELECT} WHERE q.org_id = :org AND q.id = :id", {"org": org, "id": query_id})
    return _query(rows[0]) if rows else None


def newest(
    conn: Connection, org: str, user: str | None, *, open_only: bool, before: tuple[float, str] | None, limit: int
) -> list[Query]:
    """Give the newest of a user (None: of everybody), older than the (time, id) given."""
    where, params = "q.org_id = :org", dict[str, object](org=org, limit=limit)
    if user is not None:
        where += " AND q.user_id = :user"
        params["user"] = user
    if open_only:
        where += " AND f.status = 'running'"
    if before is not None:
        where += " AND (q.created_at < :at OR (q.created_at = :at AND q.id < :id))"
        params |= {"at": before[0], "id": before[1]}
    sql = f"{_SELECT} WHERE {where} ORDER BY q.created_at DESC, q.id DESC LIMIT :limit"
    return [_query(row) for row in conn.execute(sql, params)]


def count_open(conn: Connection, org: str, user: str | None = None) -> int:
    """Tell how many are being answered, on whatever node; of one user if given."""
    sql = "SELECT count(*) AS n FROM fires WHERE org_id = :org AND kind = 'query' AND status = 'running'"
    if user is not None:
        sql += " AND user_id = :user"
    return int(str(conn.execute(sql, {"org": org, "user": user})[0]["n"]))


def is_busy(conn: Connection, org: str, conversation_id: str) -> bool:
    """Take a conversation's lock and tell whether a question of it is still being answered."""
    params = {"org": org, "id": conversation_id}
    conn.execute("UPDATE conversations SET updated_at = updated_at WHERE org_id = :org AND id = :id", params)
    sql = f"{_SELECT} WHERE q.org_id = :org AND q.conversation_id = :id AND f.status = 'running' LIMIT 1"
    return bool(conn.execute(sql, params))


def ask_to_stop(conn: Connection, org: str, query_id: str, by: str) -> bool:
    """Note that somebody wants it to end; False when it is not there."""
    sql = "UPDATE queries SET stop_by = :by WHERE org_id = :org AND id = :id"
    return conn.changed(sql, {"by": by, "org": org, "id": query_id}) == 1


def to_stop(conn: Connection, org: str) -> list[str]:
    """Give the running questions that somebody wants ended."""
    sql = f"{_SELECT} WHERE q.org_id = :org AND q.stop_by IS NOT NULL AND f.status = 'running'"
    return [str(row["id"]) for row in conn.execute(sql, {"org": org})]


def _query(row: Row) -> Query:
    details = json.loads(str(row["details"])) if row["details"] else {}
    return Query(
        id=str(row["id"]),
        org=str(row["org_id"]),
        user=str(row["user_id"]),
        source=str(row["source"]),
        correlation_id=str(row["correlation_id"]),
        conversation_id=None if row["conversation_id"] is None else str(row["conversation_id"]),
        draft=QueryDraft.model_validate_json(str(row["draft"])),
        created_at=float(str(row["created_at"])),
        status=FireStatus(str(row["status"])),
        finished_at=number_or_none(row, "finished_at"),
        error=str(row["error"] or ""),
        cost_usd=number_or_none(row, "cost_usd"),
        stop_by=str(row["stop_by"] or ""),
        report=details.get("report", {}),
        failure=str(details.get("failure", "")),
    )
