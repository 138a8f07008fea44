"""Builds the built-in tools; the table is the list of all there is."""

from __future__ import annotations

import os
from dataclasses import dataclass

from akili_cli.config.settings import Settings
from akili_cli.core.policy.compile import ToolRoots
from akili_cli.core.sandbox.base import Sandbox
from akili_cli.core.sandbox.privileges import NOBODY
from akili_cli.core.tools.builtin.code_exec import CodeExec
from akili_cli.core.tools.builtin.file_read import FileRead
from akili_cli.core.tools.builtin.file_restore import FileRestore
from akili_cli.core.tools.builtin.file_write import FileWrite
from akili_cli.core.tools.builtin.git_read import GitRead
from akili_cli.core.tools.builtin.git_restore import GitRestore
from akili_cli.core.tools.builtin.git_write import GitWrite
from akili_cli.core.tools.builtin.shell_exec import ShellExec
from akili_cli.core.tools.builtin.web_fetch import WebFetch
from akili_cli.core.tools.settings import FileToolSettings
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.clock import Clock
from akili_cli.domain.images import BeforeImages
from akili_cli.features.alerts.tools import CreateAlert, EndpointCheck, Rules
from akili_cli.features.cron.tools import CreateCronjob, Jobs
from akili_cli.features.notifications.tools import Carrier, NotificationDeliver, Outbox, SendNotification

TOOL_NAMES = tuple(tool.name for tool in (ShellExec, FileRead, FileWrite, GitRead, GitWrite, CodeExec, WebFetch))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomParts:
    """What the tools of the rooms use."""

    jobs: Jobs
    rules: Rules
    outbox: Outbox
    carrier: Carrier


def build_tools(
    settings: Settings,
    roots: ToolRoots,
    sandbox: Sandbox,
    images: BeforeImages,
    *,
    rooms: RoomParts,
    clock: Clock,
    home: str,
    cwd: str,
) -> ToolBox:
    """Give every tool, wired; allowed paths come resolved. Models are not offered those that undo, deliver or check."""
    notifies = settings.notification.enabled
    files = FileToolSettings(allowed_paths=roots.files, max_file_size_bytes=settings.tools.file.max_file_size_bytes)
    return ToolBox(
        (
            ShellExec(sandbox, roots.files, settings.sandbox.max_execution_seconds, home),
            FileRead(files, home=home, cwd=cwd),
            FileWrite(files, images, home=home, cwd=cwd),
            GitRead(sandbox, home=home, cwd=cwd),
            GitWrite(sandbox, images.repositories, home=home, cwd=cwd, runs_as=_commands_uid(settings)),
            CodeExec(sandbox, settings.tools.code.allowed_languages, settings.sandbox.max_execution_seconds, home),
            WebFetch(settings.tools.web),
            *((CreateCronjob(rooms.jobs),) if settings.scheduler.enabled else ()),
            *((CreateAlert(rooms.rules),) if settings.alerting.enabled else ()),
            *((SendNotification(rooms.outbox),) if notifies else ()),
        ),
        unoffered=(
            FileRestore(files, images, home=home, cwd=cwd),
            GitRestore(images.repositories),
            EndpointCheck(settings.tools.web.allowed_private_hosts, clock),
            *((NotificationDeliver(rooms.carrier),) if notifies else ()),
        ),
    )


def _commands_uid(settings: Settings) -> int | None:
    """Give the uid that commands get; None when it is akili's own."""
    return NOBODY if settings.sandbox.type == "docker" or os.geteuid() == 0 else None
