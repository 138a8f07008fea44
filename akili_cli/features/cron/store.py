"""All SQL of cron jobs; every statement names the organisation."""

from __future__ import annotations

import json

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.rows import newest_owned, number_or_none
from akili_cli.core.schedule.base import OnMissed, Overlap
from akili_cli.features.cron.model import CronJob

_COLUMNS = (
    "id, org_id, name, description, cron_expression, goal, user_id, budget_limit_usd, enabled, on_missed, overlap,"
    " notify, next_run_at, created_at, updated_at, last_run_at, last_run_id, last_error, failures"
)


def add(connection: Connection, job: CronJob) -> None:
    """Store a new job; raises ``ConflictError`` when the name is taken."""
    marks = ", ".join(f":{name.strip()}" for name in _COLUMNS.split(","))
    connection.execute(f"INSERT INTO cron_jobs ({_COLUMNS}) VALUES ({marks})", _row(job))  # noqa: S608  # our columns


def change(connection: Connection, job: CronJob) -> None:
    """Write a changed job over the old one; raises ``ConflictError`` when the new name is taken."""
    sets = ", ".join(
        f"{name.strip()} = :{name.strip()}" for name in _COLUMNS.split(",") if name.strip() not in ("id", "org_id")
    )
    connection.execute(f"UPDATE cron_jobs SET {sets} WHERE org_id = :org_id AND id = :id", _row(job))  # noqa: S608  # our columns


def remove(connection: Connection, org: str, job_id: str) -> None:
    """Forget a job; its runs stay on record."""
    connection.execute("DELETE FROM cron_jobs WHERE org_id = :org AND id = :id", {"org": org, "id": job_id})


def jobs(connection: Connection, org: str) -> list[CronJob]:
    """Give every job by name."""
    rows = connection.execute("SELECT * FROM cron_jobs WHERE org_id = :org ORDER BY name", {"org": org})
    return [_job(row) for row in rows]


def page(
    connection: Connection,
    org: str,
    user: str | None,
    *,
    name: str | None,
    before: tuple[float, str] | None,
    limit: int,
) -> list[CronJob]:
    """Give the newest jobs of a user (None: of everybody), or the one of that name, after a place of that list."""
    ends, values = newest_owned(org, user, name=name, before=before, limit=limit)
    return [_job(row) for row in connection.execute(f"SELECT * FROM cron_jobs {ends}", values)]  # noqa: S608  # our marks


def get(connection: Connection, org: str, job_id: str) -> CronJob | None:
    """Find a job by its id."""
    rows = connection.execute("SELECT * FROM cron_jobs WHERE org_id = :org AND id = :id", {"org": org, "id": job_id})
    return _job(rows[0]) if rows else None


def due(connection: Connection, org: str, now: float, limit: int) -> list[CronJob]:
    """Give enabled jobs that are due, oldest first, kept from other nodes until this transaction ends."""
    sql = (
        "SELECT * FROM cron_jobs WHERE org_id = :org AND enabled = 1 AND next_run_at <= :now"
        " ORDER BY next_run_at, id LIMIT :limit {skip}"
    )
    return [_job(row) for row in connection.execute(sql, {"org": org, "now": now, "limit": limit})]


def next_at(connection: Connection, org: str) -> float | None:
    """Give the earliest next run of an enabled job."""
    sql = "SELECT min(next_run_at) AS at FROM cron_jobs WHERE org_id = :org AND enabled = 1"
    at = connection.execute(sql, {"org": org})[0]["at"]
    return None if at is None else float(str(at))


def advance(connection: Connection, org: str, job_id: str, next_run_at: float) -> None:
    """Move a job on."""
    sql = "UPDATE cron_jobs SET next_run_at = :at WHERE org_id = :org AND id = :id"
    connection.execute(sql, {"at": next_run_at, "org": org, "id": job_id})


def ended(
    connection: Connection, org: str, job_id: str, *, at: float, run_id: str, error: str, max_failures: int
) -> bool:
    """Note a run's end; True when so many failures in a row switched the job off."""
    sql = (
        "UPDATE cron_jobs SET last_run_at = :at, last_run_id = :run, last_error = :error,"
        " failures = CASE WHEN :error = '' THEN 0 ELSE failures + 1 END,"
        " enabled = CASE WHEN :error <> '' AND failures + 1 >= :most THEN 0 ELSE enabled END"
        " WHERE org_id = :org AND id = :id RETURNING failures, enabled"
    )
    values = {"at": at, "run": run_id, "error": error, "most": max_failures, "org": org, "id": job_id}
    rows = connection.execute(sql, values)
    return bool(rows) and rows[0]["failures"] == max_failures and not rows[0]["enabled"]


def _row(job: CronJob) -> dict[str, object]:
    return {
        "id": job.id,
        "org_id": job.org,
        "name": job.name,
        "description": job.description,
        "cron_expression": job.cron_expression,
        "goal": job.goal,
        "user_id": job.user,
        "budget_limit_usd": job.budget_limit_usd,
        "enabled": int(job.enabled),
        "on_missed": str(job.on_missed),
        "overlap": str(job.overlap),
        "notify": json.dumps(list(job.notify)),
        "next_run_at": job.next_run_at,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "last_run_at": job.last_run_at,
        "last_run_id": job.last_run_id,
        "last_error": job.last_error,
        "failures": job.failures,
    }


def _job(row: Row) -> CronJob:
    return CronJob(
        id=str(row["id"]),
        org=str(row["org_id"]),
        name=str(row["name"]),
        description=str(row["description"]),
        cron_expression=str(row["cron_expression"]),
        goal=str(row["goal"]),
        user=str(row["user_id"]),
        budget_limit_usd=number_or_none(row, "budget_limit_usd"),
        enabled=bool(row["enabled"]),
        on_missed=OnMissed(str(row["on_missed"])),
        overlap=Overlap(str(row["overlap"])),
        notify=tuple(json.loads(str(row["notify"]))),
        next_run_at=float(str(row["next_run_at"])),
        created_at=float(str(row["created_at"])),
        updated_at=float(str(row["updated_at"])),
        last_run_at=number_or_none(row, "last_run_at"),
        last_run_id=str(row["last_run_id"]),
        last_error=str(row["last_error"]),
        failures=int(str(row["failures"])),
    )
