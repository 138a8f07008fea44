"""Wires the checks of the alerts room, and how a job of another room is found by its name."""

from __future__ import annotations

from akili_cli.adapters.storage.base import Database
from akili_cli.bootstrap.app import App
from akili_cli.domain.calls import Source
from akili_cli.features.alerts.checking import Checker, FindJob
from akili_cli.features.alerts.worker import AlertSchedule
from akili_cli.features.cron.service import CronReader
from akili_cli.features.heartbeats import store as heartbeats


def open_checker(app: App) -> Checker:
    """Give what looks at targets."""
    state = app.state
    return Checker(
        pipeline=app.pipeline,
        db=state.db,
        org=state.org,
        clock=state.clock,
        find_job=job_finder(state.db, state.org),
    )


def alert_schedule(app: App) -> AlertSchedule:
    """Give what the ticker runs."""
    return AlertSchedule(
        settings=app.state.loaded.settings.alerting,
        checker=open_checker(app),
        notifier=app.notifications.service,
        clock=app.state.clock,
    )


def job_finder(db: Database, org: str) -> FindJob:
    """Give the function from a kind and a name to the id of the cron job or heartbeat task; None without one."""

    async def find(kind: str, name: str) -> str | None:
        if kind == Source.CRON:
            return next((job.id for job in await CronReader(db, org).jobs() if job.name == name), None)
        group, _, task = name.partition("/")
        tasks = await db.read(lambda connection: heartbeats.tasks(connection, org))
        return next((one.id for one in tasks if one.spec.key == (group, task)), None)

    return find
