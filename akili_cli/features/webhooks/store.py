"""All SQL of webhooks: marks of what was delivered, each for as long as it would count as the same."""

from __future__ import annotations

from akili_cli.adapters.storage.base import Connection

_LOCK = "lock"


def lock(conn: Connection, org: str, hook: str, until: float) -> None:
    """Keep other deliveries of a webhook out until this transaction ends."""
    conn.execute(
        "INSERT INTO webhook_marks (org_id, hook, mark, claim, run_id, expires_at)"
        " VALUES (:org, :hook, :mark, '', NULL, :until)"
        " ON CONFLICT (org_id, hook, mark) DO UPDATE SET expires_at = excluded.expires_at",
        {"org": org, "hook": hook, "mark": _LOCK, "until": until},
    )


def forget(conn: Connection, org: str, hook: str, now: float) -> None:
    """Delete a webhook's marks that are over."""
    sql = "DELETE FROM webhook_marks WHERE org_id = :org AND hook = :hook AND expires_at <= :now"
    conn.execute(sql, {"org": org, "hook": hook, "now": now})


def mark(conn: Connection, org: str, hook: str, name: str, claim: str, until: float) -> bool:
    """Set a mark; False when it stands already."""
    sql = (
        "INSERT INTO webhook_marks (org_id, hook, mark, claim, run_id, expires_at)"
        " VALUES (:org, :hook, :mark, :claim, NULL, :until) ON CONFLICT DO NOTHING"
    )
    return conn.changed(sql, {"org": org, "hook": hook, "mark": name, "claim": claim, "until": until}) == 1


def run_of(conn: Connection, org: str, hook: str, name: str) -> str | None:
    """Give the run that a mark led to, if it is known."""
    sql = "SELECT run_id FROM webhook_marks WHERE org_id = :org AND hook = :hook AND mark = :mark"
    rows = conn.execute(sql, {"org": org, "hook": hook, "mark": name})
    return None if not rows or rows[0]["run_id"] is None else str(rows[0]["run_id"])


def begun(conn: Connection, org: str, hook: str) -> list[float]:
    """Give until when each run of the last hour counts, the soonest over first."""
    sql = (
        "SELECT expires_at FROM webhook_marks WHERE org_id = :org AND hook = :hook AND mark LIKE :runs"
        " ORDER BY expires_at"
    )
    return [float(str(row["expires_at"])) for row in conn.execute(sql, {"org": org, "hook": hook, "runs": "run %"})]


def led_to(conn: Connection, org: str, hook: str, claim: str, run_id: str) -> None:
    """Note which run a delivery began."""
    sql = "UPDATE webhook_marks SET run_id = :run WHERE org_id = :org AND hook = :hook AND claim = :claim"
    conn.execute(sql, {"org": org, "hook": hook, "claim": claim, "run": run_id})


def release(conn: Connection, org: str, hook: str, claim: str) -> None:
    """Take back the marks of a delivery that began nothing."""
    sql = "DELETE FROM webhook_marks WHERE org_id = :org AND hook = :hook AND claim = :claim"
    conn.execute(sql, {"org": org, "hook": hook, "claim": claim})
