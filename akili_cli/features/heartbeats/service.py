"""The verbs on heartbeat tasks: read their files, keep what is stored in step with them, show and trigger tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.core.audit.log import AuditLog
from akili_cli.core.audit.model import Kind, change_by
from akili_cli.core.schedule.base import Job, Notifier
from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.domain.calls import Principal
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import ConflictError, NotFoundError
from akili_cli.domain.ids import new_uuid
from akili_cli.domain.nearest import nearest
from akili_cli.features.heartbeats import store
from akili_cli.features.heartbeats.folder import read_file, read_folders
from akili_cli.features.heartbeats.logic import Changes, changes, one_per_group
from akili_cli.features.heartbeats.model import HeartbeatResult, HeartbeatTask, TaskFile, TaskSpec
from akili_cli.features.heartbeats.source import parse_file

MIN_TYPED = 4
T = TypeVar("T")


def check_files(paths: Sequence[Path]) -> tuple[TaskFile, ...]:
    """Read files whoever wrote them, as they stand; what is wrong is in their ``problems``. Raises ``ConfigError``."""
    return one_per_group([parse_file(read_file(path), path=str(path)) for path in paths], {})


@dataclass(frozen=True, slots=True)
class Overview:
    """What the files say now: the tasks (as stored, or None when they have not been stored yet) and what is wrong."""

    tasks: tuple[tuple[TaskSpec, HeartbeatTask | None], ...]
    problems: tuple[str, ...]


class HeartbeatReader:
    """What there is to see of one organisation's tasks; ``directories`` are those of the settings, made absolute."""

    def __init__(self, db: Database, org: str, directories: Sequence[Path]) -> None:
        """Keep the collaborators."""
        self._db = db
        self._org = org
        self._directories = tuple(directories)

    async def overview(self) -> Overview:
        """Read the files, and give their tasks with what became of them so far; nothing is written."""
        read, problems = await self.read()
        stored = {task.spec.key: task for task in await self._tasks()}
        specs = [spec for file in read for spec in file.tasks]
        return Overview(
            tuple((spec, stored.get(spec.key)) for spec in specs),
            (*problems, *(problem for file in read for problem in file.problems)),
        )

    async def read(self) -> tuple[tuple[TaskFile, ...], tuple[str, ...]]:
        """Read the directories; give the files, and what is wrong with the directories."""
        found = await asyncio.to_thread(read_folders, self._directories)
        known = await self._db.read(lambda connection: store.files(connection, self._org))
        return one_per_group(found.files, {file.group: file.path for file in known}), found.problems

    async def shown(self, typed: str) -> tuple[TaskSpec, HeartbeatTask | None]:
        """Find a task among those in the files now; raises like ``task``."""
        known = (await self.overview()).tasks
        return _only([(spec, "" if task is None else task.id, (spec, task)) for spec, task in known], typed)

    async def task(self, typed: str, *, gone: bool = False) -> HeartbeatTask:
        """Find a stored task by ``group/name``, name, or an unambiguous beginning of its id.

        With ``gone`` also one whose file has it no more. Raises ``NotFoundError`` that names the nearest,
        ``ConflictError`` when more than one is meant.
        """
        return _only([(task.spec, task.id, task) for task in await self._tasks(gone=gone)], typed)

    async def history(self, typed: str | None, limit: int) -> list[HeartbeatResult]:
        """Give the newest results."""
        task_id = None if typed is None else (await self.task(typed, gone=True)).id
        return await self._db.read(lambda connection: store.results(connection, self._org, task_id, limit))

    async def _tasks(self, *, gone: bool = False) -> list[HeartbeatTask]:
        return await self._db.read(lambda connection: store.tasks(connection, self._org, gone=gone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a look at the files changed; ``problems`` are all there are, ``news`` whether any of it is new."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    news: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatService:
    """Tasks of one organisation. What is stored is what the usable files say, and nothing else runs."""

    db: Database
    org: str
    clock: Clock
    audit: AuditLog
    notifier: Notifier
    directories: tuple[Path, ...]
    default_user: str

    @property
    def reader(self) -> HeartbeatReader:
        """Give what reads the same books."""
        return HeartbeatReader(self.db, self.org, self.directories)

    async def sync(self, by: Principal) -> Synced:
        """Read the files and bring what is stored in step, for the record; when nothing changed, nothing is written.

        A task that is in no usable file any more does not run; when it comes back it is the same task.
        """
        read, problems = await self.reader.read()
        specs = [spec for file in read for spec in file.tasks]
        now = self.clock.now()

        def work(connection: Connection) -> tuple[tuple[TaskFile, ...], Changes, bool]:
            told = tuple(self._with_channels(connection, file) for file in read)
            known = store.tasks(connection, self.org, gone=True)
            change, restart = changes(specs, known, default_user=self.default_user, now=now)
            for spec in change.new:
                store.add(connection, self._new(spec, now))
            for task in change.changed:
                store.change(connection, task, next_run_at=_next(task.spec, now) if task.id in restart else None)
            for task in change.gone:
                store.change(connection, task, next_run_at=None)
            news = store.files(connection, self.org) != sorted((_bare(file) for file in told), key=_path_of)
            if news:
                store.put_files(connection, self.org, told)
            return told, change, news

        files, change, news = await self.db.write(work)
        synced = Synced(
            added=tuple("/".join(spec.key) for spec in change.new),
            changed=tuple(task.title for task in change.changed),
            removed=tuple(task.title for task in change.gone),
            problems=(*problems, *(problem for file in files for problem in file.problems)),
            news=news,
        )
        if change:
            await self._record(by, synced, files)
        return synced

    async def to_trigger(self, typed: str) -> Job:
        """Give the task to run now, without its gates; raises like ``reader.task``."""
        return as_due(await self.reader.task(typed))

    def _with_channels(self, connection: Connection, file: TaskFile) -> TaskFile:
        """Add a problem for each channel nobody knows; the tasks run all the same."""
        named = tuple(dict.fromkeys(name for task in file.tasks for name in task.channels))
        unknown = self.notifier.unknown(connection, self.org, named)
        told = (f"{file.path}:2: notification_channels: there is no channel {name!r}" for name in unknown)
        return replace(file, problems=(*file.problems, *told))

    def _new(self, spec: TaskSpec, now: float) -> HeartbeatTask:
        return HeartbeatTask(
            id=new_uuid(),
            org=self.org,
            spec=spec,
            user=spec.user or self.default_user,
            next_run_at=_next(spec, now),
            created_at=now,
            updated_at=now,
        )

    async def _record(self, by: Principal, synced: Synced, files: Sequence[TaskFile]) -> None:
        parameters = {
            "added": list(synced.added),
            "changed": list(synced.changed),
            "removed": list(synced.removed),
            "files": {file.path: file.sha256 for file in files},
        }
        await self.audit.append(change_by(by, self.org, "heartbeats.sync", parameters, kind=Kind.STATE))


def as_due(task: HeartbeatTask) -> Job:
    """Give a task as the ticker sees it; what it is to do is read when it runs."""
    return Job(
        id=task.id,
        user=task.user,
        cron=task.spec.cron_expression,
        next_run_at=task.next_run_at,
        payload={"group": task.spec.group, "name": task.spec.name, "file": task.spec.path},
    )


def _only(known: Sequence[tuple[TaskSpec, str, T]], typed: str) -> T:
    titles = [("/".join(spec.key), spec.name, task_id) for spec, task_id, _ in known]
    exact = [at for at, names in enumerate(titles) if typed in names]
    found = exact or [
        at for at, (*_, task_id) in enumerate(titles) if len(typed) >= MIN_TYPED and task_id.startswith(typed)
    ]
    if len(found) > 1:
        first, second = (titles[at][0] for at in found[:2])
        raise ConflictError(f"more than one task is meant by {typed[:80]!r}", hint=f"such as {first!r} or {second!r}")
    if not found:
        near = nearest(typed, [name for names in titles for name in names[:2]])
        raise NotFoundError(f"there is no task {typed[:80]!r}{near}", hint="see: akili heartbeats list")
    return known[found[0]][2]


def _next(spec: TaskSpec, now: float) -> float:
    return parse_cron(spec.cron_expression).next_after(now)


def _bare(file: TaskFile) -> TaskFile:
    return replace(file, tasks=())


def _path_of(file: TaskFile) -> str:
    return file.path
