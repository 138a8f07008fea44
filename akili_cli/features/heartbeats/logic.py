"""Pure rules: what a change of the files means for the tasks, what is told of a result, how bad a text sounds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from akili_cli.features.heartbeats.model import GOOD, HeartbeatTask, Notify, ResultStatus, TaskFile, TaskSpec

_CRITICAL = re.compile(
    r"\b(?:critical|fatal|panic(?:s|ked)?|oom(?:s|[- ]?killed)?|out[ -]of[ -]memory|disk[ -]full)\b", re.IGNORECASE
)
_HIGH = re.compile(r"\b(?:errors?|failed|time(?:out|outs|d out)|unreachable|down)\b", re.IGNORECASE)


def one_per_group(files: Sequence[TaskFile], holders: Mapping[str, str]) -> tuple[TaskFile, ...]:
    """Take the tasks from every file whose group another file has.

    The one that had the group before (``holders``: group to path) keeps it, else the first in order.
    """
    owner: dict[str, str] = {}
    for file in files:
        if file.group and (file.group not in owner or holders.get(file.group) == file.path):
            owner[file.group] = file.path
    return tuple(
        file
        if not file.group or owner[file.group] == file.path
        else replace(
            file,
            tasks=(),
            problems=(*file.problems, f"{file.path}:2: the name {file.group!r} is taken by {owner[file.group]}"),
        )
        for file in files
    )


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be written: new specs, changed tasks as they are now, and those that are no more."""

    new: tuple[TaskSpec, ...] = ()
    changed: tuple[HeartbeatTask, ...] = ()
    gone: tuple[HeartbeatTask, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.new or self.changed or self.gone)


def changes(
    specs: Sequence[TaskSpec], known: Sequence[HeartbeatTask], *, default_user: str, now: float
) -> tuple[Changes, tuple[str, ...]]:
    """Compare what the files say with what is stored; also give the ids of tasks whose next run must be set anew.

    An unchanged schedule keeps its next run. One that was gone, or off, and one with another expression counts from
    now. What the precheck last saw is forgotten when the work or the check is another.
    """
    wanted = {spec.key: spec for spec in specs}
    stored = {task.spec.key: task for task in known}
    changed, restart = [], []
    for key, spec in wanted.items():
        task = stored.get(key)
        if task is None:
            continue
        user = spec.user or default_user
        if task.deleted_at is None and task.spec == spec and task.user == user:
            continue
        same_work = (task.spec.prompt, task.spec.precheck, task.user) == (spec.prompt, spec.precheck, user)
        changed.append(
            replace(
                task,
                spec=spec,
                user=user,
                updated_at=now,
                deleted_at=None,
                digest=task.digest if same_work else "",
            )
        )
        runs_on = task.deleted_at is None and task.spec.enabled and spec.enabled
        if not runs_on or task.spec.cron_expression != spec.cron_expression:
            restart.append(task.id)
    gone = tuple(
        replace(task, deleted_at=now, updated_at=now)
        for key, task in stored.items()
        if key not in wanted and task.deleted_at is None
    )
    new = tuple(spec for key, spec in wanted.items() if key not in stored)
    return Changes(new, tuple(changed), gone), tuple(restart)


def is_told(notify: Notify, status: ResultStatus, before: ResultStatus | None) -> bool:
    """Tell whether channels hear of a result; the first one counts as a change when it is bad.

    That nothing changed is only told after something bad; that a day's runs are used up is not told.
    """
    if status is ResultStatus.SKIPPED:
        return False
    was_good, good = before is None or before in GOOD, status in GOOD
    match notify:
        case Notify.ALWAYS:
            return status is not ResultStatus.UNCHANGED or not was_good
        case Notify.FAILURE:
            return not good
        case Notify.CHANGE:
            return good != was_good or (not good and status is not before)


def severity(text: str) -> str:
    """Give ``critical``, ``high`` or ``medium``, by the words in a text."""
    if _CRITICAL.search(text):
        return "critical"
    return "high" if _HIGH.search(text) else "medium"
