"""A room with due things, as small as one can be: its own table, and a run the test decides on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.storage.base import Connection
from akili_cli.adapters.storage.schema import Step, Table
from akili_cli.core.schedule.base import Ended, Fire, FireStatus, Job, OnMissed, Overlap

PROBE_STEP = Step(
    "9100_probe_jobs",
    (
        Table(
            "probe_jobs",
            {
                "id": "text",
                "org_id": "text",
                "cron": "text",
                "next_run_at": "double",
                "on_missed": "text",
                "overlap": "text",
                "window_s": "double",
                "last": "text?",
            },
            pk=("id",),
        ),
    ),
)


async def _ok(_fire: Fire, _steps: Steps) -> Ended:
    return Ended(status=FireStatus.OK)


class ProbeSchedule:
    kind = "probe"
    poll_s = 1.0

    def __init__(
        self,
        run: Callable[[Fire, Steps], Awaitable[Ended]] = _ok,
        *,
        durable: bool = False,
        max_running: int = 5,
    ) -> None:
        self.durable = durable
        self.max_running = max_running
        self._run = run
        self.ran: list[Fire] = []

    def next_at(self, connection: Connection, org: str) -> float | None:
        rows = connection.execute("SELECT min(next_run_at) AS at FROM probe_jobs WHERE org_id = :org", {"org": org})
        return None if rows[0]["at"] is None else float(str(rows[0]["at"]))

    def due(self, connection: Connection, org: str, now: float, limit: int) -> list[Job]:
        sql = "SELECT * FROM probe_jobs WHERE org_id = :org AND next_run_at <= :now ORDER BY id LIMIT :limit {skip}"
        return [
            Job(
                id=str(row["id"]),
                user="ann",
                cron=str(row["cron"]),
                next_run_at=float(str(row["next_run_at"])),
                payload={"n": 1},
                on_missed=OnMissed(str(row["on_missed"])),
                overlap=Overlap(str(row["overlap"])),
                window_s=float(str(row["window_s"])),
            )
            for row in connection.execute(sql, {"org": org, "now": now, "limit": limit})
        ]

    def advance(self, connection: Connection, org: str, job_id: str, next_run_at: float) -> None:
        sql = "UPDATE probe_jobs SET next_run_at = :at WHERE org_id = :org AND id = :id"
        connection.execute(sql, {"at": next_run_at, "org": org, "id": job_id})

    async def run(self, fire: Fire, steps: Steps) -> Ended:
        self.ran.append(fire)
        return await self._run(fire, steps)

    def ended(self, connection: Connection, fire: Fire, ended: Ended, _now: float) -> None:
        sql = "UPDATE probe_jobs SET last = :last WHERE org_id = :org AND id = :id"
        connection.execute(sql, {"last": str(ended.status), "org": fire.org, "id": fire.job_id})


def add_probe_job(
    connection: Connection,
    job_id: str,
    cron: str,
    next_run_at: float,
    *,
    on_missed: str = "run_once",
    overlap: str = "skip",
    window_s: float = 3600.0,
) -> None:
    connection.execute(
        "INSERT INTO probe_jobs (id, org_id, cron, next_run_at, on_missed, overlap, window_s)"
        " VALUES (:id, 'default', :cron, :at, :missed, :overlap, :window)",
        {
            "id": job_id,
            "cron": cron,
            "at": next_run_at,
            "missed": on_missed,
            "overlap": overlap,
            "window": window_s,
        },
    )
