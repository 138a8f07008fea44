"""Builds what keeps, runs and reads heartbeat tasks."""

from __future__ import annotations

from akili_cli.bootstrap.app import App, State
from akili_cli.core.schedule.base import GoalRunner
from akili_cli.domain.calls import Principal, Source
from akili_cli.features.heartbeats.service import HeartbeatReader, HeartbeatService
from akili_cli.features.heartbeats.worker import HeartbeatFiles, HeartbeatSchedule

POLLER = "akili"
"""In whose name the files are read and what they say is stored; no task runs as it."""


def open_heartbeat_reader(state: State) -> HeartbeatReader:
    """Give what reads the tasks of the state's organisation."""
    return HeartbeatReader(state.db, state.org, state.loaded.task_dirs)


def open_heartbeats(app: App) -> HeartbeatService:
    """Give the tasks of the application's organisation."""
    state = app.state
    return HeartbeatService(
        db=state.db,
        org=state.org,
        clock=state.clock,
        audit=app.pipeline.audit,
        notifier=app.notifications.service,
        directories=state.loaded.task_dirs,
        default_user=state.loaded.settings.heartbeat_tasks.default_user_id,
    )


def heartbeat_schedule(app: App, agent: GoalRunner) -> HeartbeatSchedule:
    """Give what the ticker runs."""
    return HeartbeatSchedule(
        settings=app.state.loaded.settings.heartbeat_tasks,
        db=app.state.db,
        agent=agent,
        pipeline=app.pipeline,
        notifier=app.notifications.service,
        clock=app.state.clock,
    )


def heartbeat_files(app: App) -> HeartbeatFiles:
    """Give the chore that reads the files."""
    by = Principal(POLLER, Source.HEARTBEAT, org=app.state.org)
    every_s = app.state.loaded.settings.heartbeat_tasks.file_poll_interval_seconds
    return HeartbeatFiles(open_heartbeats(app), by, every_s)
