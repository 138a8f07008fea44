"""The verbs on cron jobs. A job belongs to whoever made it, and runs with their authority and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.approvals.approvers import LOCAL_SOURCES
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
T = TypeVar("T")
CLEARABLE = {"description": "", "budget_limit_usd": None, "notify": ()}
Expects = Callable[[CronJob], None]
"""Looks at a job as it is when it is changed, and raises if that is not what was expected."""


def as_it_is(_job: CronJob) -> None:
    """Expect nothing."""


class CronReader:
    """What there is to see of one organisation's jobs; with ``user`` of theirs only."""

    def __init__(self, db: Database, org: str, user: str | None = None) -> None:
        """Keep the collaborators."""
        self._db = db
        self._org = org
        self._user = user

    async def jobs(self) -> list[CronJob]:
        """Give every job by name."""
        known = await self._db.read(lambda connection: store.jobs(connection, self._org))
        return [job for job in known if self._user in (None, job.user)]

    async def page(
        self, *, name: str | None = None, before: tuple[float, str] | None = None, limit: int = 50
    ) -> list[CronJob]:
        """Give the newest jobs, or the one of that name, after a place (time, id) of that list."""
        return await self._db.read(
            lambda conn: store.page(conn, self._org, self._user, name=name, before=before, limit=limit)
        )

    async def by_id(self, job_id: str) -> CronJob:
        """Find a job by its whole id; raises the same ``NotFoundError`` for one of somebody else's."""
        job = await self._db.read(lambda connection: store.get(connection, self._org, job_id))
        if job is None or self._user not in (None, job.user):
            raise NotFoundError(f"there is no job {job_id[:80]!r}")
        return job

    async def runs(
        self, job_id: str, *, before: tuple[float, str] | None = None, limit: int = 50
    ) -> list[fires.Record]:
        """Give the newest runs of a job by its id, after a place (fire time, id) of that list; raises as ``by_id``.

        Of a run with somebody else's authority it says how it ended, and not what it found.
        """
        job = await self.by_id(job_id)
        found = await self._db.read(lambda conn: fires.history(conn, self._org, KIND, [job.id], limit, before))
        return [one if self._user in (None, one.fire.user) else replace(one, summary="", error="") for one in found]

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

    def mine(self, by: Principal) -> CronReader:
        """Give what reads only what is theirs; an admin's reads everything."""
        return CronReader(self.db, self.org, None if self.is_admin(by) else by.user)

    async def add(self, draft: JobDraft, by: Principal) -> CronJob:
        """Make a job, for the record; it runs as ``by``.

        Raises ``InvalidArgumentsError`` for an expression that is none or never fires and for a channel that is
        unknown or not theirs to name, ``ConflictError`` for a name that is taken, ``PolicyDeniedError`` without
        the permission.
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

        def work(connection: Connection) -> None:
            self._check_channels(connection, job.notify, (), by)
            store.add(connection, job)

        await self._write(work, job.name)
        await self._record(by, "add", job, {"goal": job.goal, "cron_expression": job.cron_expression})
        return job

    async def edit(self, typed: str, changes: JobChanges, by: Principal, *, expects: Expects = as_it_is) -> CronJob:
        """Change a job of one's own (an admin: anybody's), for the record; everything is checked again.

        It keeps running as its creator. A changed expression, and switching on again, count from now.
        """
        seen = await self._owned(typed, by)
        given = _given(changes)

        def work(connection: Connection) -> CronJob:
            job = self._still(connection, seen, expects)
            new = self._edited(job, given)
            self._check_channels(connection, new.notify, job.notify, by)
            store.change(connection, new)
            return new

        new = await self._write(work, str(given.get("name", seen.name)))
        await self._record(by, "edit", new, given)
        return new

    async def remove(self, typed: str, by: Principal, *, expects: Expects = as_it_is) -> CronJob:
        """Forget a job of one's own, for the record; a run that goes on is not ended."""
        seen = await self._owned(typed, by)

        def work(connection: Connection) -> CronJob:
            job = self._still(connection, seen, expects)
            store.remove(connection, self.org, job.id)
            return job

        job = await self.db.write(work)
        await self._record(by, "rm", job, {})
        return job

    async def to_trigger(self, typed: str, by: Principal) -> Job:
        """Give the job to run now, as the requester and never as its creator; raises without the permission.

        From the terminal any job of the organisation is found, from elsewhere one's own (an admin: anybody's).
        """
        self._require(by)
        return as_due(await self._found(typed, by), self.window_s)

    def _edited(self, job: CronJob, given: Mapping[str, Any]) -> CronJob:
        now = self.clock.now()
        new = replace(job, updated_at=now, **given)
        if new.cron_expression != job.cron_expression or (new.enabled and not job.enabled):
            new = replace(new, next_run_at=parse_cron(new.cron_expression).next_after(now))
        if new.enabled and not job.enabled:
            new = replace(new, failures=0)
        return new

    def _still(self, connection: Connection, seen: CronJob, expects: Expects) -> CronJob:
        job = store.get(connection, self.org, seen.id)
        if job is None:
            raise NotFoundError(f"the job {seen.name} is gone", hint="see: akili cron list")
        expects(job)
        return job

    def _require(self, by: Principal) -> None:
        if PERMISSION not in self.permissions_of(by):
            raise PolicyDeniedError(
                f"{by.user} may not make or run cron jobs: the role does not hold {PERMISSION}",
                hint="security.roles says what a role holds",
            )

    async def _found(self, typed: str, by: Principal) -> CronJob:
        if by.source in LOCAL_SOURCES:
            return await self.reader.job(typed)
        return await self.mine(by).by_id(typed)

    async def _owned(self, typed: str, by: Principal) -> CronJob:
        self._require(by)
        job = await self._found(typed, by)
        if job.user != by.user and not self.is_admin(by):
            raise PolicyDeniedError(f"the job {job.name} belongs to {job.user}", hint="ask them, or an admin")
        return job

    def _check_channels(
        self, connection: Connection, names: Sequence[str], before: Sequence[str], by: Principal
    ) -> None:
        """Refuse names of no channel, and new ones of channels that are not theirs to name, alike."""
        kept, new = [name for name in names if name in before], [name for name in names if name not in before]
        unknown = self.notifier.unknown(connection, self.org, kept) + self.notifier.unknown(
            connection, self.org, new, by
        )
        if unknown:
            raise InvalidArgumentsError(f"there is no channel {unknown[0]!r}", hint="see: akili channels list")

    async def _write(self, work: Callable[[Connection], T], name: str) -> T:
        try:
            return await self.db.write(work)
        except ConflictError as error:
            raise ConflictError(f"there is a job {name!r} already", hint="see: akili cron list") from error

    async def _record(self, by: Principal, verb: str, job: CronJob, said: Mapping[str, object]) -> None:
        parameters = {"job": job.name, "job_id": job.id, **said}
        await self.audit.append(change_by(by, self.org, f"cron.{verb}", parameters))


def _given(changes: JobChanges) -> dict[str, Any]:
    wrong = [name for name in changes.clear if name not in CLEARABLE]
    if wrong:
        raise InvalidArgumentsError(
            f"{wrong[0][:60]!r} cannot be cleared{nearest(wrong[0], CLEARABLE)}",
            hint=f"only {', '.join(CLEARABLE)}",
        )
    given = changes.model_dump(exclude_none=True, exclude={"clear"}, exclude_unset=True)
    return given | {name: CLEARABLE[name] for name in changes.clear}


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
