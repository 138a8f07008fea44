"""The books of a run's end: a result, what the task remembers, and what channels are told; one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from akili_cli.adapters.storage.base import Connection
from akili_cli.core.schedule.base import Ended, Fire, FireStatus, Notice, Notifier
from akili_cli.domain.calls import Source
from akili_cli.domain.clock import iso
from akili_cli.features.heartbeats import store
from akili_cli.features.heartbeats.logic import is_told, severity
from akili_cli.features.heartbeats.model import GOOD, SUMMARY_CHARS, HeartbeatResult, ResultStatus
from akili_cli.features.heartbeats.settings import HeartbeatSettings

_ENDED = {
    FireStatus.OK: ResultStatus.SUCCESS,
    FireStatus.DENIED: ResultStatus.DENIED,
    FireStatus.BUDGET_EXCEEDED: ResultStatus.BUDGET_EXCEEDED,
    FireStatus.TIMEOUT: ResultStatus.TIMEOUT,
    FireStatus.INTERRUPTED: ResultStatus.INTERRUPTED,
}
"""For a fire that ended before it could say how."""

_DAY_CHARS = 10


def correlation_of(fire_id: str) -> str:
    """Give what ties together everything one fire causes: ``hbt-`` and 8 hex characters, the same in every attempt."""
    return f"hbt-{hashlib.sha256(fire_id.encode()).hexdigest()[:8]}"


def day_of(at: float) -> str:
    """Give the day (UTC) that a daily cap counts for."""
    return iso(at)[:_DAY_CHARS]


def note_end(
    connection: Connection, fire: Fire, ended: Ended, now: float, *, settings: HeartbeatSettings, notifier: Notifier
) -> None:
    """Write down how a fire ended.

    That nothing changed is counted on the task; it is a result only after something bad. Of the runs a day's cap
    leaves out the first is a result, the others are counted. What the precheck saw is kept after a good run only, so
    that a failed one is tried again.
    """
    task = store.get(connection, fire.org, fire.job_id)
    before = None if task is None else task.last_status
    told = ended.details.get("result")
    status = ResultStatus(str(told)) if told else _ENDED.get(ended.status, ResultStatus.FAILURE)
    if status is ResultStatus.UNCHANGED:
        store.count_unchanged(connection, fire.org, fire.job_id, now)
        if before is None or before in GOOD:
            return
    elif status is ResultStatus.SKIPPED:
        if store.count_run(connection, fire.org, fire.job_id, day_of(now), skipped=True) > 1:
            return
    elif ended.details.get("asked"):
        store.count_run(connection, fire.org, fire.job_id, day_of(now), skipped=False)
    result = _result(fire, ended, status, now)
    if task is not None and task.spec.channels and is_told(settings.notify, status, before):
        result = _tell(connection, result, task.spec.channels, notifier, proactive=settings.proactive_alerts, now=now)
    store.add_result(connection, result)
    if status is not ResultStatus.SKIPPED:
        seen = str(ended.details.get("digest") or "") if status is ResultStatus.SUCCESS else ""
        store.note_end(connection, result, seen or None)


def _result(fire: Fire, ended: Ended, status: ResultStatus, now: float) -> HeartbeatResult:
    payload = cast("Mapping[str, str]", fire.payload)
    return HeartbeatResult(
        id=fire.id,
        org=fire.org,
        task_id=fire.job_id,
        group=payload["group"],
        name=payload["name"],
        user=fire.user,
        status=status,
        output=str(ended.details.get("output", "")),
        summary=ended.summary,
        error=ended.error,
        run_id=ended.run_id,
        correlation_id=correlation_of(fire.id),
        tokens=int(str(ended.details.get("tokens", 0))),
        cost_usd=ended.cost_usd,
        duration_s=float(str(ended.details.get("duration_s", 0.0))),
        ended_at=now,
    )


def _tell(
    connection: Connection,
    result: HeartbeatResult,
    channels: tuple[str, ...],
    notifier: Notifier,
    *,
    proactive: bool,
    now: float,
) -> HeartbeatResult:
    """Queue the message; give the result with the channels it went to and those that cannot get it."""
    unknown = notifier.unknown(connection, result.org, channels)
    notifier.queue(connection, result.org, notice_of(result, channels, proactive=proactive), now)
    return replace(
        result,
        notified_via=tuple(name for name in channels if name not in unknown),
        notify_errors={name: f"there is no channel {name!r}" for name in unknown},
    )


def notice_of(result: HeartbeatResult, channels: tuple[str, ...], *, proactive: bool) -> Notice:
    """Word a result; a bad one is ``proactive`` as an issue that awaits guidance, in place of the usual message."""
    title, bad = f"{result.group}/{result.name}", result.status not in GOOD
    subject = f"Heartbeat task {title}: {result.status}"
    lines = [f"task: {title}", f"status: {result.status}", f"duration: {result.duration_s:.1f} s"]
    said = (result.error or result.summary) if bad else result.summary
    metadata = {
        "task_id": result.task_id,
        "task_name": result.name,
        "status": str(result.status),
        "correlation_id": result.correlation_id,
    }
    if bad and proactive:
        whole = "\n".join(text for text in (result.error, result.output) if text)
        how_bad = severity(whole)
        subject = f"Heartbeat task {title}: issue detected, awaiting guidance"
        lines.append(f"severity: {how_bad}")
        said = whole[:SUMMARY_CHARS]
        metadata |= {"severity": how_bad, "source": "heartbeat_proactive"}
    return Notice(
        key=f"{result.id}:result",
        channels=channels,
        subject=subject,
        body="\n".join([*lines, "", said]).rstrip(),
        user=result.user,
        source=Source.HEARTBEAT,
        metadata=metadata,
    )
