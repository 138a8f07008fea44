"""The verbs on cron jobs. A job belongs to whoever made it, and runs with their authority and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.audit.log import AuditLog
from akili_cli.core.audit.model import change_by
from akili_cli.core.schedule import store as fires
from akili_cli.core.schedule.base import Job, Notifier
from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.domain.calls import Principal
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError, NotFoundError, PolicyDeniedError
from akili_cli.domain.ids import new_uuid
from akili_cli.domain.nearest import nearest
from akili_cli.features.cron import store
from akili_cli.features.cron.model import KIND, CronJob, JobChanges, JobDraft

PERMISSION = "create_cronjob"
MIN_TYPED = 4
CLEARABLE = {"description": "", "budget_limit_usd": None, "notify": ()}


class CronReader:
    """What there is to see of one organisation's jobs."""

    def __init__(self, db: Database, org: str) -> None:
        """Keep the collaborators."""
        self._db = db
        self._org = org

    async def jobs(self) -> list[CronJob]:
        """Give every job by name."""
        return await self._db.read(lambda connection: store.jobs(connection, self._org))

    async def job(self, typed: str) -> CronJob:
        """Find a job by name, id, or an unambiguous beginning of its id.

        Raises ``NotFoundError`` that names the nearest, ``ConflictError`` when more than one begins like that.
        """
        known = await self.jobs()
        exact = [job for job in known if typed in (job.name, job.id)]
        found = exact or [job for job in known if len(typed) >= MIN_TYPED and job.id.startswith(typed)]
        if len(found) > 1:
            raise ConflictError(f"more than one job begins with {typed[:40]}", hint="type more of the id")
        if not found:
            names = [job.name for job in known]
            raise NotFoundError(f"there is no job {typed[:80]!r}{nearest(typed, names)}", hint="see: akili cron list")
        return found[0]

    async def history(self, typed: str | None, limit: int) -> list[tuple[str, fires.Record]]:
        """Give the newest runs, each with its job's name (its id when the job is gone)."""
        ids = None if typed is None else [(await self.job(typed)).id]
        names = {job.id: job.name for job in await self.jobs()}
        records = await self._db.read(lambda connection: fires.history(connection, self._org, KIND, ids, limit))
        return [(names.get(record.fire.job_id, record.fire.job_id), record) for record in records]


@dataclass(frozen=True, slots=True, kw_only=True)
class CronService:
    """Jobs of one organisation. ``is_admin`` tells who may change what is not theirs."""

    db: Database
    org: str
    clock: Clock
    audit: AuditLog
    notifier: Notifier
    window_s: float
    permissions_of: Callable[[Principal], frozenset[str]]
    is_admin: Callable[[Principal], bool]

    @property
    def reader(self) -> CronReader:
        """Give what reads the same books."""
        return CronReader(self.db, self.org)

    async def add(self, draft: JobDraft, by: Principal) -> CronJob:
        """Make a job, for the record; it runs as ``by``.

        Raises ``InvalidArgumentsError`` for an expression that is none or never fires and for an unknown channel,
        ``ConflictError`` for a name that is taken, ``PolicyDeniedError`` without the permission.
        """
        self._require(by)
        now = self.clock.now()
        job = CronJob(
            id=new_uuid(),
            org=self.org,
            user=by.user,
            next_run_at=parse_cron(draft.cron_expression).next_after(now),
            created_at=now,
            updated_at=now,
            **draft.model_dump(),
        )
        await self._write(lambda connection: store.add(connection, job), job)
        await self._record(by, "add", job, {"goal": job.goal, "cron_expression": job.cron_expression})
        return job

    async def edit(self, typed: str, changes: JobChanges, by: Principal) -> CronJob:
        """Change a job of one's own (an admin: anybody's), for the record; everything is checked again.

        It keeps running as its creator. A changed expression, and switching on again, count from now.
        """
        job = await self._owned(typed, by)
        wrong = [name for name in changes.clear if name not in CLEARABLE]
        if wrong:
            raise InvalidArgumentsError(
                f"{wrong[0][:60]!r} cannot be cleared{nearest(wrong[0], CLEARABLE)}",
                hint=f"only {', '.join(CLEARABLE)}",
            )
        given = changes.model_dump(exclude_none=True, exclude={"clear"}, exclude_unset=True)
        given |= {name: CLEARABLE[name] for name in changes.clear}
        now = self.clock.now()
        new = replace(job, updated_at=now, **given)
        if new.cron_expression != job.cron_expression or (new.enabled and not job.enabled):
            new = replace(new, next_run_at=parse_cron(new.cron_expression).next_after(now))
        if new.enabled and not job.enabled:
            new = replace(new, failures=0)
        await self._write(lambda connection: store.change(connection, new), new)
        await self._record(by, "edit", new, given)
        return new

    async def remove(self, typed: str, by: Principal) -> CronJob:
        """Forget a job of one's own, for the record; a run that goes on is not ended."""
        job = await self._owned(typed, by)
        await self.db.write(lambda connection: store.remove(connection, self.org, job.id))
        await self._record(by, "rm", job, {})
        return job

    async def to_trigger(self, typed: str, by: Principal) -> Job:
        """Give the job to run now, as the requester and never as its creator; raises without the permission."""
        self._require(by)
        return as_due(await self.reader.job(typed), self.window_s)

    def _require(self, by: Principal) -> None:
        if PERMISSION not in self.permissions_of(by):
            raise PolicyDeniedError(
                f"{by.user} may not make or run cron jobs: the role does not hold {PERMISSION}",
                hint="security.roles says what a role holds",
            )

    async def _owned(self, typed: str, by: Principal) -> CronJob:
        self._require(by)
        job = await self.reader.job(typed)
        if job.user != by.user and not self.is_admin(by):
            raise PolicyDeniedError(f"the job {job.name} belongs to {job.user}", hint="ask them, or an admin")
        return job

    async def _write(self, change: Callable[[Connection], None], job: CronJob) -> None:
        def work(connection: Connection) -> None:
            unknown = self.notifier.unknown(connection, self.org, job.notify)
            if unknown:
                raise InvalidArgumentsError(f"there is no channel {unknown[0]!r}", hint="see: akili channels list")
            change(connection)

        try:
            await self.db.write(work)
        except ConflictError as error:
            raise ConflictError(f"there is a job {job.name!r} already", hint="see: akili cron list") from error

    async def _record(self, by: Principal, verb: str, job: CronJob, said: Mapping[str, object]) -> None:
        parameters = {"job": job.name, "job_id": job.id, **said}
        await self.audit.append(change_by(by, self.org, f"cron.{verb}", parameters))


def as_due(job: CronJob, window_s: float) -> Job:
    """Give a job as the ticker sees it."""
    return Job(
        id=job.id,
        user=job.user,
        cron=job.cron_expression,
        next_run_at=job.next_run_at,
        payload={
            "name": job.name,
            "cron_expression": job.cron_expression,
            "goal": job.goal,
            "budget_limit_usd": job.budget_limit_usd,
            "notify": list(job.notify),
        },
        on_missed=job.on_missed,
        window_s=window_s,
        overlap=job.overlap,
    )
