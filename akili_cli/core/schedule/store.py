"""All SQL of nodes and fires. A fire is one row; its id makes it happen once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.rows import number_or_none, older_than, one_of
from akili_cli.core.schedule.base import Ended, Fire, FireStatus
from akili_cli.domain.errors import ConflictError

OPEN = ("waiting", "running")
_COLUMNS = "id, org_id, kind, job_id, fire_at, user_id, payload, node_id, attempt, manual"


@dataclass(frozen=True, slots=True)
class Record:
    """A fire with what came of it, for people."""

    fire: Fire
    status: FireStatus
    created_at: float
    started_at: float | None
    finished_at: float | None
    run_id: str
    error: str
    summary: str
    cost_usd: float | None


def begin_node(
    conn: Connection, node: str, host: str, pid: int, version: str, *, now: float, dead_before: float
) -> None:
    """Make a node known as alive; raises ``ConflictError`` while another one of that name is.

    What an earlier one of that name left open is nobody's from now on, and so taken over.
    """
    sql = (
        "INSERT INTO nodes (id, host, pid, version, started_at, seen_at)"
        " VALUES (:id, :host, :pid, :version, :now, :now)"
        " ON CONFLICT (id) DO UPDATE SET host = :host, pid = :pid, version = :version, started_at = :now,"
        " seen_at = :now, stopped_at = NULL WHERE nodes.stopped_at IS NOT NULL OR nodes.seen_at < :dead_before"
    )
    values = {"id": node, "host": host, "pid": pid, "version": version, "now": now, "dead_before": dead_before}
    if conn.changed(sql, values) != 1:
        raise ConflictError(
            f"a node {node!r} is running, or was until a moment ago", hint="choose another name, or wait half a minute"
        )
    conn.execute(
        "UPDATE fires SET node_id = :before WHERE node_id = :id AND status = 'running'",
        {"before": f"{node} (before)", "id": node},
    )


def ping(conn: Connection, node: str, now: float) -> None:
    """Say that a node is alive."""
    conn.execute("UPDATE nodes SET seen_at = :now WHERE id = :id", {"id": node, "now": now})


def stop_node(conn: Connection, node: str, now: float) -> None:
    """Say that a node has gone: what it left open may be taken over at once."""
    conn.execute("UPDATE nodes SET stopped_at = :now WHERE id = :id", {"id": node, "now": now})


def bury(conn: Connection, host: str, me: str, is_running: Callable[[int], bool], now: float) -> None:
    """Say of nodes of this machine whose process has ended that they are gone: nobody needs to wait for them."""
    sql = "SELECT id, pid FROM nodes WHERE host = :host AND id <> :me AND stopped_at IS NULL"
    for row in conn.execute(sql, {"host": host, "me": me}):
        if not is_running(int(str(row["pid"]))):
            stop_node(conn, str(row["id"]), now)


def touch(conn: Connection, node: str) -> None:
    """Write to a node's row and change nothing, to see that writing works; it says nothing of being alive."""
    conn.execute("UPDATE nodes SET host = host WHERE id = :id", {"id": node})


def count_open(conn: Connection, org: str) -> list[tuple[str, str, int]]:
    """Count the fires that wait or run, by kind and status."""
    sql = (
        "SELECT kind, status, count(*) AS n FROM fires WHERE org_id = :org AND status IN ('waiting', 'running')"
        " GROUP BY kind, status ORDER BY kind, status"
    )
    return [(str(row["kind"]), str(row["status"]), int(str(row["n"]))) for row in conn.execute(sql, {"org": org})]


def nodes(conn: Connection) -> list[Row]:
    """Give every known node, the last seen first."""
    return conn.execute("SELECT * FROM nodes ORDER BY seen_at DESC, id")


def forget_nodes(conn: Connection, before: float) -> None:
    """Drop nodes not seen since, unless a fire is still theirs."""
    sql = (
        "DELETE FROM nodes WHERE seen_at < :before"
        " AND NOT EXISTS (SELECT 1 FROM fires WHERE node_id = nodes.id AND status IN ('waiting', 'running'))"
    )
    conn.execute(sql, {"before": before})


def lost(conn: Connection, org: str, me: str, dead_before: float) -> list[Fire]:
    """Give running fires whose node stopped, is unknown, or has not been seen since ``dead_before``."""
    sql = (
        f"SELECT {_COLUMNS} FROM fires WHERE org_id = :org AND status = 'running' AND node_id <> :me"  # noqa: S608  # our columns
        " AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = fires.node_id"
        " AND stopped_at IS NULL AND seen_at >= :dead_before)"
    )
    return [_fire(row) for row in conn.execute(sql, {"org": org, "me": me, "dead_before": dead_before})]


def take(conn: Connection, fire: Fire, node: str) -> bool:
    """Make an open fire of a lost node this node's; False when somebody else has it or it has ended."""
    sql = (
        "UPDATE fires SET node_id = :node, attempt = attempt + 1"
        " WHERE org_id = :org AND id = :id AND node_id = :old AND status = 'running'"
    )
    return conn.changed(sql, {"node": node, "org": fire.org, "id": fire.id, "old": fire.node}) == 1


def claim(conn: Connection, org: str, fire_id: str, node: str) -> Fire | None:
    """Make a running fire this node's, whoever had it; None when it has ended or never was."""
    sql = "UPDATE fires SET node_id = :node WHERE org_id = :org AND id = :id AND status = 'running'"
    if conn.changed(sql, {"node": node, "org": org, "id": fire_id}) != 1:
        return None
    return get(conn, org, fire_id)


def add(
    conn: Connection, fire: Fire, status: FireStatus, now: float, *, error: str = "", details: object = None
) -> bool:
    """Store a new fire; False when this fire time is known already."""
    sql = (
        f"INSERT INTO fires ({_COLUMNS}, status, created_at, started_at, finished_at, error, details)"  # noqa: S608  # our columns
        " VALUES (:id, :org, :kind, :job, :at, :user, :payload, :node, :attempt, :manual, :status, :now, :started,"
        " :finished, :error, :details) ON CONFLICT DO NOTHING"
    )
    values = {
        "id": fire.id,
        "org": fire.org,
        "kind": fire.kind,
        "job": fire.job_id,
        "at": fire.fire_at,
        "user": fire.user,
        "payload": json.dumps(fire.payload),
        "node": fire.node,
        "attempt": fire.attempt,
        "manual": int(fire.manual),
        "status": str(status),
        "now": now,
        "started": now if status is FireStatus.RUNNING else None,
        "finished": None if str(status) in OPEN else now,
        "error": error or None,
        "details": None if details is None else json.dumps(details),
    }
    return conn.changed(sql, values) == 1


def has_open(conn: Connection, org: str, kind: str, job_id: str) -> bool:
    """Tell whether a job runs or waits."""
    sql = (
        "SELECT 1 AS found FROM fires WHERE org_id = :org AND kind = :kind AND job_id = :job"
        " AND status IN ('waiting', 'running') LIMIT 1"
    )
    return bool(conn.execute(sql, {"org": org, "kind": kind, "job": job_id}))


def next_waiting(conn: Connection, org: str, kind: str, node: str, now: float, limit: int) -> list[Fire]:
    """Start the oldest waiting fire of each job that has none running; give those, now this node's."""
    sql = (
        f"SELECT {_COLUMNS} FROM fires AS f WHERE org_id = :org AND kind = :kind AND status = 'waiting'"  # noqa: S608  # our columns
        " AND NOT EXISTS (SELECT 1 FROM fires AS r WHERE r.org_id = f.org_id AND r.kind = f.kind"
        " AND r.job_id = f.job_id AND (r.status = 'running' OR (r.status = 'waiting' AND r.fire_at < f.fire_at)))"
        " ORDER BY fire_at, id LIMIT :limit {skip}"
    )
    begun = []
    for row in conn.execute(sql, {"org": org, "kind": kind, "limit": limit}):
        start = (
            "UPDATE fires SET status = 'running', node_id = :node, started_at = :now"
            " WHERE org_id = :org AND id = :id AND status = 'waiting'"
        )
        if conn.changed(start, {"node": node, "now": now, "org": org, "id": row["id"]}) == 1:
            begun.append(_fire({**row, "node_id": node}))
    return begun


def end(conn: Connection, fire: Fire, ended: Ended, now: float) -> bool:
    """End a running fire of this node; False when it is not this node's any more, and then nothing may be noted."""
    sql = (
        "UPDATE fires SET status = :status, finished_at = :now, run_id = :run, error = :error, summary = :summary,"
        " cost_usd = :cost, details = :details"
        " WHERE org_id = :org AND id = :id AND node_id = :node AND status = 'running'"
    )
    values = {
        "status": str(ended.status),
        "now": now,
        "run": ended.run_id or None,
        "error": ended.error or None,
        "summary": ended.summary or None,
        "cost": ended.cost_usd,
        "details": json.dumps(ended.details) if ended.details else None,
        "org": fire.org,
        "id": fire.id,
        "node": fire.node,
    }
    return conn.changed(sql, values) == 1


def get(conn: Connection, org: str, fire_id: str) -> Fire | None:
    """Find one fire."""
    sql = f"SELECT {_COLUMNS} FROM fires WHERE org_id = :org AND id = :id"  # noqa: S608  # our columns
    rows = conn.execute(sql, {"org": org, "id": fire_id})
    return _fire(rows[0]) if rows else None


def status_of(conn: Connection, org: str, fire_id: str) -> FireStatus | None:
    """Tell where a fire stands."""
    rows = conn.execute("SELECT status FROM fires WHERE org_id = :org AND id = :id", {"org": org, "id": fire_id})
    return FireStatus(str(rows[0]["status"])) if rows else None


def history(
    conn: Connection,
    org: str,
    kind: str,
    job_ids: Sequence[str] | None,
    limit: int,
    before: tuple[float, str] | None = None,
) -> list[Record]:
    """Give the newest fires of a kind, or of these jobs; those after a place (fire time, id) of that list."""
    values: dict[str, object] = {"org": org, "kind": kind, "limit": limit}
    only = ""
    if job_ids is not None:
        condition, params = one_of("job_id", job_ids)
        only, values = f" AND {condition}", {**values, **params}
    older, place = older_than(before, "fire_at")
    only, values = f"{only}{older}", {**values, **place}
    sql = f"SELECT * FROM fires WHERE org_id = :org AND kind = :kind{only} ORDER BY fire_at DESC, id DESC LIMIT :limit"  # noqa: S608  # our marks
    return [_record(row) for row in conn.execute(sql, values)]


def last_ok(conn: Connection, org: str, kind: str, job_id: str) -> float | None:
    """Give when a job last ended well (epoch seconds); None when it never did."""
    sql = (
        "SELECT max(finished_at) AS at FROM fires"
        " WHERE org_id = :org AND kind = :kind AND job_id = :job AND status = 'ok'"
    )
    at = conn.execute(sql, {"org": org, "kind": kind, "job": job_id})[0]["at"]
    return None if at is None else float(str(at))


def _fire(row: Row) -> Fire:
    return Fire(
        id=str(row["id"]),
        org=str(row["org_id"]),
        kind=str(row["kind"]),
        job_id=str(row["job_id"]),
        fire_at=float(str(row["fire_at"])),
        user=str(row["user_id"]),
        payload=json.loads(str(row["payload"])),
        node=str(row["node_id"]),
        attempt=int(str(row["attempt"])),
        manual=bool(row["manual"]),
    )


def _record(row: Row) -> Record:
    return Record(
        fire=_fire(row),
        status=FireStatus(str(row["status"])),
        created_at=float(str(row["created_at"])),
        started_at=number_or_none(row, "started_at"),
        finished_at=number_or_none(row, "finished_at"),
        run_id=str(row["run_id"] or ""),
        error=str(row["error"] or ""),
        summary=str(row["summary"] or ""),
        cost_usd=number_or_none(row, "cost_usd"),
    )
