"""All SQL of heartbeat tasks; every statement names the organisation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from akili_cli.adapters.storage.base import Connection, Row
from akili_cli.adapters.storage.rows import number_or_none
from akili_cli.features.heartbeats.model import (
    HeartbeatResult,
    HeartbeatTask,
    Mode,
    Precheck,
    PrecheckKind,
    ResultStatus,
    TaskFile,
    TaskSpec,
)

_FILE = ("org_id", "path", "group_name", "sha256", "tasks", "problems")
_SPEC = (
    "group_name", "name", "description", "path", "line", "own_user", "user_id", "cron_expression", "mode", "prompt",
    "budget_usd", "channels", "precheck", "max_runs_per_day", "enabled", "updated_at", "deleted_at", "digest",
)  # fmt: skip
_TASK = (
    "id", "org_id", *_SPEC, "next_run_at", "created_at", "last_run_at", "last_status", "last_error", "last_summary",
    "last_run_id", "unchanged", "unchanged_at", "day", "runs_today", "skipped_today",
)  # fmt: skip
_RESULT = (
    "org_id", "id", "task_id", "group_name", "name", "user_id", "status", "output", "summary", "error", "run_id",
    "correlation_id", "tokens", "cost_usd", "duration_s", "ended_at", "notified_via", "notify_errors",
)  # fmt: skip


def files(connection: Connection, org: str) -> list[TaskFile]:
    """Give the files as they were last read, without their tasks."""
    rows = connection.execute("SELECT * FROM heartbeat_files WHERE org_id = :org ORDER BY path", {"org": org})
    return [
        TaskFile(
            path=str(row["path"]),
            sha256=str(row["sha256"]),
            group=str(row["group_name"]),
            problems=tuple(json.loads(str(row["problems"]))),
        )
        for row in rows
    ]


def put_files(connection: Connection, org: str, read: Sequence[TaskFile]) -> None:
    """Write down the files there are now, in place of those before."""
    connection.execute("DELETE FROM heartbeat_files WHERE org_id = :org", {"org": org})
    for file in read:
        values = (org, file.path, file.group, file.sha256, len(file.tasks), json.dumps(file.problems))
        connection.execute(_insert("heartbeat_files", _FILE), dict(zip(_FILE, values, strict=True)))


def tasks(connection: Connection, org: str, *, gone: bool = False) -> list[HeartbeatTask]:
    """Give the tasks by group and name; with ``gone`` also those whose file has none any more."""
    only = "" if gone else " AND deleted_at IS NULL"
    sql = f"SELECT * FROM heartbeat_tasks WHERE org_id = :org{only} ORDER BY group_name, name"  # noqa: S608  # our words
    return [_task(row) for row in connection.execute(sql, {"org": org})]


def get(connection: Connection, org: str, task_id: str) -> HeartbeatTask | None:
    """Find a task by its id, gone or not."""
    sql = "SELECT * FROM heartbeat_tasks WHERE org_id = :org AND id = :id"
    rows = connection.execute(sql, {"org": org, "id": task_id})
    return _task(rows[0]) if rows else None


def add(connection: Connection, task: HeartbeatTask) -> None:
    """Store a new task."""
    connection.execute(_insert("heartbeat_tasks", _TASK), _task_row(task))


def change(connection: Connection, task: HeartbeatTask, *, next_run_at: float | None) -> None:
    """Write what the file says over what it said; what became of the task stays, but for ``digest``.

    ``next_run_at`` None leaves the next run where it is, whoever moves it meanwhile.
    """
    row = _task_row(task)
    names = [*_SPEC, *(("next_run_at",) if next_run_at is not None else ())]
    row["next_run_at"] = next_run_at
    sets = ", ".join(f"{name} = :{name}" for name in names)
    sql = f"UPDATE heartbeat_tasks SET {sets} WHERE org_id = :org_id AND id = :id"  # noqa: S608  # our columns
    connection.execute(sql, {name: row[name] for name in (*names, "org_id", "id")})


def due(connection: Connection, org: str, now: float, limit: int) -> list[HeartbeatTask]:
    """Give enabled tasks that are due, oldest first, kept from other nodes until this transaction ends."""
    sql = (
        "SELECT * FROM heartbeat_tasks WHERE org_id = :org AND enabled = 1 AND deleted_at IS NULL"
        " AND next_run_at <= :now ORDER BY next_run_at, id LIMIT :limit {skip}"
    )
    return [_task(row) for row in connection.execute(sql, {"org": org, "now": now, "limit": limit})]


def next_at(connection: Connection, org: str) -> float | None:
    """Give the earliest next run of an enabled task."""
    sql = (
        "SELECT min(next_run_at) AS at FROM heartbeat_tasks WHERE org_id = :org AND enabled = 1 AND deleted_at IS NULL"
    )
    at = connection.execute(sql, {"org": org})[0]["at"]
    return None if at is None else float(str(at))


def advance(connection: Connection, org: str, task_id: str, next_run_at: float) -> None:
    """Move a task on."""
    sql = "UPDATE heartbeat_tasks SET next_run_at = :at WHERE org_id = :org AND id = :id"
    connection.execute(sql, {"at": next_run_at, "org": org, "id": task_id})


def count_unchanged(connection: Connection, org: str, task_id: str, now: float) -> None:
    """Note a look that found no change: on the task, not as a result."""
    sql = "UPDATE heartbeat_tasks SET unchanged = unchanged + 1, unchanged_at = :now WHERE org_id = :org AND id = :id"
    connection.execute(sql, {"now": now, "org": org, "id": task_id})


def count_run(connection: Connection, org: str, task_id: str, day: str, *, skipped: bool) -> int:
    """Count a run, or one left out, on its day; give how many of that sort the day has now (0: no such task)."""
    sql = (
        "UPDATE heartbeat_tasks SET"
        " runs_today = (CASE WHEN day = :day THEN runs_today ELSE 0 END) + :run,"
        " skipped_today = (CASE WHEN day = :day THEN skipped_today ELSE 0 END) + :skip,"
        " day = :day WHERE org_id = :org AND id = :id RETURNING runs_today, skipped_today"
    )
    values = {"day": day, "run": int(not skipped), "skip": int(skipped), "org": org, "id": task_id}
    rows = connection.execute(sql, values)
    return int(str(rows[0]["skipped_today" if skipped else "runs_today"])) if rows else 0


def note_end(connection: Connection, result: HeartbeatResult, digest: str | None) -> None:
    """Note on the task how its last run ended; a ``digest`` replaces what the precheck last saw."""
    sets = "last_run_at = :at, last_status = :status, last_error = :error, last_summary = :summary, last_run_id = :run"
    sets += "" if digest is None else ", digest = :digest"
    sql = f"UPDATE heartbeat_tasks SET {sets} WHERE org_id = :org AND id = :id"  # noqa: S608  # our columns
    values = {
        "at": result.ended_at,
        "status": str(result.status),
        "error": result.error,
        "summary": result.summary,
        "run": result.run_id,
        "org": result.org,
        "id": result.task_id,
    }
    connection.execute(sql, values if digest is None else {**values, "digest": digest})


def add_result(connection: Connection, result: HeartbeatResult) -> None:
    """Append a result; nothing ever changes one."""
    values = {
        "org_id": result.org,
        "id": result.id,
        "task_id": result.task_id,
        "group_name": result.group,
        "name": result.name,
        "user_id": result.user,
        "status": str(result.status),
        "output": result.output,
        "summary": result.summary,
        "error": result.error,
        "run_id": result.run_id,
        "correlation_id": result.correlation_id,
        "tokens": result.tokens,
        "cost_usd": result.cost_usd,
        "duration_s": result.duration_s,
        "ended_at": result.ended_at,
        "notified_via": json.dumps(result.notified_via),
        "notify_errors": json.dumps(dict(result.notify_errors)),
    }
    connection.execute(_insert("heartbeat_task_results", _RESULT), values)


def results(connection: Connection, org: str, task_id: str | None, limit: int) -> list[HeartbeatResult]:
    """Give the newest results, of one task or of all."""
    only = "" if task_id is None else " AND task_id = :task"
    sql = f"SELECT * FROM heartbeat_task_results WHERE org_id = :org{only} ORDER BY ended_at DESC, id DESC LIMIT :limit"  # noqa: S608  # our words
    values: dict[str, object] = {"org": org, "limit": limit}
    return [_result(row) for row in connection.execute(sql, values if task_id is None else {**values, "task": task_id})]


def _insert(table: str, columns: Sequence[str]) -> str:
    marks = ", ".join(f":{name}" for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608  # our columns


def _task_row(task: HeartbeatTask) -> dict[str, object]:
    spec = task.spec
    return {
        "id": task.id,
        "org_id": task.org,
        "group_name": spec.group,
        "name": spec.name,
        "description": spec.description,
        "path": spec.path,
        "line": spec.line,
        "own_user": spec.user,
        "user_id": task.user,
        "cron_expression": spec.cron_expression,
        "mode": str(spec.mode),
        "prompt": spec.prompt,
        "budget_usd": spec.budget_usd,
        "channels": json.dumps(spec.channels),
        "precheck": None if spec.precheck is None else str(spec.precheck),
        "max_runs_per_day": spec.max_runs_per_day,
        "enabled": int(spec.enabled),
        "next_run_at": task.next_run_at,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "deleted_at": task.deleted_at,
        "last_run_at": task.last_run_at,
        "last_status": None if task.last_status is None else str(task.last_status),
        "last_error": task.last_error,
        "last_summary": task.last_summary,
        "last_run_id": task.last_run_id,
        "digest": task.digest,
        "unchanged": task.unchanged,
        "unchanged_at": task.unchanged_at,
        "day": task.day,
        "runs_today": task.runs_today,
        "skipped_today": task.skipped_today,
    }


def _precheck(text: str) -> Precheck:
    kind, _, value = text.partition(" ")
    return Precheck(PrecheckKind(kind), value)


def _task(row: Row) -> HeartbeatTask:
    cap = row["max_runs_per_day"]
    spec = TaskSpec(
        group=str(row["group_name"]),
        name=str(row["name"]),
        description=str(row["description"]),
        path=str(row["path"]),
        line=int(str(row["line"])),
        user=None if row["own_user"] is None else str(row["own_user"]),
        cron_expression=str(row["cron_expression"]),
        mode=Mode(str(row["mode"])),
        prompt=str(row["prompt"]),
        budget_usd=float(str(row["budget_usd"])),
        channels=tuple(json.loads(str(row["channels"]))),
        precheck=None if row["precheck"] is None else _precheck(str(row["precheck"])),
        max_runs_per_day=None if cap is None else int(str(cap)),
        enabled=bool(row["enabled"]),
    )
    return HeartbeatTask(
        id=str(row["id"]),
        org=str(row["org_id"]),
        spec=spec,
        user=str(row["user_id"]),
        next_run_at=float(str(row["next_run_at"])),
        created_at=float(str(row["created_at"])),
        updated_at=float(str(row["updated_at"])),
        deleted_at=number_or_none(row, "deleted_at"),
        last_run_at=number_or_none(row, "last_run_at"),
        last_status=None if row["last_status"] is None else ResultStatus(str(row["last_status"])),
        last_error=str(row["last_error"]),
        last_summary=str(row["last_summary"]),
        last_run_id=str(row["last_run_id"]),
        digest=str(row["digest"]),
        unchanged=int(str(row["unchanged"])),
        unchanged_at=number_or_none(row, "unchanged_at"),
        day=str(row["day"]),
        runs_today=int(str(row["runs_today"])),
        skipped_today=int(str(row["skipped_today"])),
    )


def _result(row: Row) -> HeartbeatResult:
    return HeartbeatResult(
        id=str(row["id"]),
        org=str(row["org_id"]),
        task_id=str(row["task_id"]),
        group=str(row["group_name"]),
        name=str(row["name"]),
        user=str(row["user_id"]),
        status=ResultStatus(str(row["status"])),
        output=str(row["output"]),
        summary=str(row["summary"]),
        error=str(row["error"]),
        run_id=str(row["run_id"]),
        correlation_id=str(row["correlation_id"]),
        tokens=int(str(row["tokens"])),
        cost_usd=number_or_none(row, "cost_usd"),
        duration_s=float(str(row["duration_s"])),
        ended_at=float(str(row["ended_at"])),
        notified_via=tuple(json.loads(str(row["notified_via"]))),
        notify_errors=json.loads(str(row["notify_errors"])),
    )
