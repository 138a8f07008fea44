"""All SQL of approvals. Every change is a compare-and-set on the state, so exactly one caller wins."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.core.approvals.model import Approval, ApprovalStatus
from akili_cli.domain.calls import Source, canonical_json

_COLUMNS = (
    "id, org_id, user_id, source, agent, run_id, correlation_id, conversation_id, call_id, tool, arguments, digest, "
    "action_risk, effects, rule_id, rule_origin, because, reason, untrusted, cwd, host, status, created_at, "
    "expires_at, inputs, plan_id, plan_index, skill, waits"
)
_FIELDS = tuple(field.name for field in fields(Approval))  # a newer akili may have added columns
_RENAMED = {"org": "org_id", "user": "user_id", "risk": "action_risk"}


def add(conn: Connection, approval: Approval) -> None:
    """Store a new pending approval."""
    names = [name.strip() for name in _COLUMNS.split(",")]
    values = {_RENAMED.get(key, key): value for key, value in asdict(approval).items()}
    values["arguments"] = canonical_json(approval.arguments)
    values["effects"] = canonical_json(approval.effects)
    values["untrusted"] = canonical_json(list(approval.untrusted))
    values["inputs"] = canonical_json(approval.inputs)
    values["source"], values["status"] = str(approval.source), str(approval.status)
    values["waits"] = int(approval.waits)
    marks = ", ".join(f":{name}" for name in names)
    sql = f"INSERT INTO approvals ({_COLUMNS}) VALUES ({marks})"  # noqa: S608  # column names are ours
    conn.execute(sql, {name: values[name] for name in names})


def get(conn: Connection, org: str, approval_id: str) -> Approval | None:
    """Find one by its full id."""
    sql = "SELECT * FROM approvals WHERE org_id = :org AND id = :id"
    rows = conn.execute(sql, {"org": org, "id": approval_id})
    return _approval(rows[0]) if rows else None


def find(conn: Connection, org: str, prefix: str) -> list[Approval]:
    """Find those whose id starts with what somebody typed (letters and digits only)."""
    sql = "SELECT * FROM approvals WHERE org_id = :org AND id LIKE :pattern ORDER BY id LIMIT 3"
    return [_approval(row) for row in conn.execute(sql, {"org": org, "pattern": prefix + "%"})]


def listing(conn: Connection, org: str, *, status: str | None, limit: int) -> list[Approval]:
    """List approvals, newest first."""
    where = "org_id = :org" + ("" if status is None else " AND status = :status")
    sql = f"SELECT * FROM approvals WHERE {where} ORDER BY created_at DESC, id LIMIT :limit"  # noqa: S608  # fixed texts
    rows = conn.execute(sql, {"org": org, "status": status, "limit": limit} if status else {"org": org, "limit": limit})
    return [_approval(row) for row in rows]


def seen(
    conn: Connection,
    org: str,
    user: str,
    risks: tuple[str, ...],
    *,
    status: str | None,
    before: tuple[float, str] | None,
    limit: int,
) -> list[Approval]:
    """List a user's own approvals and anybody's of these risks, newest first, older than the (time, id) given."""
    named = {f"risk{place}": risk for place, risk in enumerate(risks)}
    others = f" OR action_risk IN ({', '.join(f':{name}' for name in named)})" if named else ""
    where = f"org_id = :org AND (user_id = :user{others})"
    params: dict[str, object] = {"org": org, "user": user, "limit": limit, **named}
    if status is not None:
        where += " AND status = :status"
        params["status"] = status
    if before is not None:
        where += " AND (created_at < :at OR (created_at = :at AND id < :id))"
        params |= {"at": before[0], "id": before[1]}
    sql = f"SELECT * FROM approvals WHERE {where} ORDER BY created_at DESC, id DESC LIMIT :limit"  # noqa: S608  # fixed texts
    return [_approval(row) for row in conn.execute(sql, params)]


def of_plan(conn: Connection, org: str, plan_id: str) -> list[Approval]:
    """Give the steps of a plan in their order."""
    sql = "SELECT * FROM approvals WHERE org_id = :org AND plan_id = :plan ORDER BY plan_index"
    return [_approval(row) for row in conn.execute(sql, {"org": org, "plan": plan_id})]


def manual_approvals(conn: Connection, org: str, digest: str, since: float, risks: tuple[str, ...]) -> int:
    """Count how often people approved this exact call at these risks and it went well, since the last denial."""
    denied = (
        "SELECT max(resolved_at) AS at FROM approvals WHERE org_id = :org AND digest = :digest AND status = 'denied'"
    )
    rows = conn.execute(denied, {"org": org, "digest": digest})
    after = max(since, float(str(rows[0]["at"] or 0.0)))
    named = {f"risk{place}": risk for place, risk in enumerate(risks)}
    marks = ", ".join(f":{name}" for name in named)
    sql = (
        "SELECT count(*) AS n FROM approvals WHERE org_id = :org AND digest = :digest AND status = 'consumed' "  # noqa: S608  # our own names
        f"AND outcome = 'ok' AND resolved_by IS NOT NULL AND resolved_at > :after AND action_risk IN ({marks})"
    )
    rows = conn.execute(sql, {"org": org, "digest": digest, "after": after, **named})
    return int(str(rows[0]["n"]))


def count_pending(conn: Connection, org: str, now: float) -> int:
    """Count the approvals that somebody may still rule on."""
    sql = "SELECT count(*) AS n FROM approvals WHERE org_id = :org AND status = 'pending' AND expires_at > :now"
    return int(str(conn.execute(sql, {"org": org, "now": now})[0]["n"]))


def expire(conn: Connection, org: str, now: float) -> int:
    """Mark what nobody ruled on, or nobody used, in time."""
    sql = (
        "UPDATE approvals SET status = 'expired' WHERE org_id = :org AND ("
        "(status = 'pending' AND expires_at <= :now) OR (status = 'approved' AND use_expires_at <= :now))"
    )
    return conn.changed(sql, {"org": org, "now": now})


def lock(conn: Connection, org: str, approval_id: str) -> Approval | None:
    """Give a pending approval and keep others from ruling on it until this transaction ends."""
    sql = "UPDATE approvals SET status = status WHERE org_id = :org AND id = :id AND status = 'pending'"
    if conn.changed(sql, {"org": org, "id": approval_id}) != 1:
        return None
    return get(conn, org, approval_id)


def vote(conn: Connection, approval_id: str, user: str, at: float) -> int:
    """Count one person's yes, once; give how many people have said yes."""
    sql = "INSERT INTO approval_votes (approval_id, user_id, at) VALUES (:id, :user, :at) ON CONFLICT DO NOTHING"
    conn.execute(sql, {"id": approval_id, "user": user, "at": at})
    rows = conn.execute("SELECT count(*) AS n FROM approval_votes WHERE approval_id = :id", {"id": approval_id})
    return int(str(rows[0]["n"]))


def resolve(conn: Connection, approval: Approval) -> bool:
    """Write a ruling if the approval is still pending and in time; tell whether this caller won."""
    sql = (
        "UPDATE approvals SET status = :status, resolved_at = :at, resolved_by = :by, feedback = :feedback, "
        "use_expires_at = :use_expires_at WHERE org_id = :org AND id = :id AND status = 'pending' AND expires_at > :at"
    )
    values = {
        "status": str(approval.status),
        "at": approval.resolved_at,
        "by": approval.resolved_by,
        "feedback": approval.feedback,
        "use_expires_at": approval.use_expires_at,
        "org": approval.org,
        "id": approval.id,
    }
    return conn.changed(sql, values) == 1


def consume(conn: Connection, org: str, approval_id: str, now: float) -> bool:
    """Use an approved one up; tell whether this caller got it. Committed before the effect, so never twice."""
    sql = (
        "UPDATE approvals SET status = 'consumed', consumed_at = :now "
        "WHERE org_id = :org AND id = :id AND status = 'approved' AND use_expires_at > :now"
    )
    return conn.changed(sql, {"org": org, "id": approval_id, "now": now}) == 1


def set_outcome(conn: Connection, org: str, approval_id: str, outcome: str) -> None:
    """Note what came of the action."""
    sql = "UPDATE approvals SET outcome = :outcome WHERE org_id = :org AND id = :id"
    conn.execute(sql, {"org": org, "id": approval_id, "outcome": outcome})


def _approval(row: Row) -> Approval:
    values = {**row}
    for name, column in _RENAMED.items():
        values[name] = values.pop(column)
    for name in ("arguments", "effects", "untrusted", "inputs"):
        values[name] = json.loads(str(values[name] or "{}"))
    values["untrusted"] = tuple(values["untrusted"])  # type: ignore[arg-type]  # a JSON list
    values["source"] = Source(str(values["source"]))
    values["status"] = ApprovalStatus(str(values["status"]))
    values["waits"] = bool(values["waits"])
    return Approval(**{name: values[name] for name in _FIELDS})  # type: ignore[arg-type]  # the columns of the fields
