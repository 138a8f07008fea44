"""Tools that can say what they would do and never do it, and what the tools of this version can do at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from akili_cli.bootstrap.tools import RoomParts, build_tools
from akili_cli.config.settings import Settings
from akili_cli.core.policy.compile import ToolRoots
from akili_cli.core.policy.model import EFFECT_KINDS
from akili_cli.core.policy.reach import ToolReach
from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Layer
from akili_cli.core.schedule.base import Notice
from akili_cli.core.tools.base import Tool
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import Principal
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import SandboxError, ToolFailedError
from akili_cli.domain.images import BeforeImages, NoBeforeImages, NoRepositoryImages, RepositoryImages, RepositoryPlaces
from akili_cli.features.alerts.model import AlertRule, RuleDraft
from akili_cli.features.cron.model import CronJob, JobDraft
from akili_cli.features.notifications.model import Delivery

KINDS = {
    "shell_exec": frozenset({"reads", "writes", "deletes", "commands", "hosts"}),
    "sandbox_probe": frozenset({"reads", "writes", "deletes", "commands", "hosts"}),
    "file_read": frozenset({"reads"}),
    "file_write": frozenset({"writes"}),
    "file_restore": frozenset({"writes", "deletes"}),
    "git_read": frozenset({"reads", "commands"}),
    "git_write": frozenset({"reads", "writes", "deletes", "commands"}),
    "git_restore": frozenset({"reads", "writes"}),
    "code_exec": frozenset({"reads", "writes", "deletes", "commands"}),
    "web_fetch": frozenset({"hosts"}),
    "create_cronjob": frozenset({"channels"}),
    "create_alert": frozenset({"channels"}),
    "endpoint_check": frozenset({"hosts"}),
    "send_notification": frozenset({"channels"}),
    "notification_deliver": frozenset({"channels", "hosts"}),
}
"""What each tool may declare; a tool that is not listed could declare anything."""

OPAQUE = frozenset({"shell_exec", "sandbox_probe", "code_exec"})


class NoSandbox:
    """Starts nothing, ever."""

    async def run(self, _request: ExecRequest, _permit: Permit) -> ExecResult:
        """Raise ``SandboxError``."""
        raise SandboxError("this is a rehearsal; nothing is run")

    def layers(self) -> tuple[Layer, ...]:
        """Give none."""
        return ()

    async def close(self) -> None:
        """End nothing."""


class NoRooms:
    """Stores and sends nothing, ever."""

    async def add(self, _draft: JobDraft, _by: Principal) -> CronJob:
        """Raise ``ToolFailedError``."""
        raise ToolFailedError("this is a rehearsal; nothing is stored")

    async def submit(self, _notice: Notice) -> list[Delivery]:
        """Raise ``ToolFailedError``."""
        raise ToolFailedError("this is a rehearsal; nothing is stored")

    async def type_of(self, _name: str) -> str:
        """Know no channel."""
        return ""

    async def deliver(self, _delivery_id: str, _channel: str, _host: str, _permit: Permit) -> Delivery:
        """Raise ``ToolFailedError``."""
        raise ToolFailedError("this is a rehearsal; nothing is sent")


class NoRules:
    """Keeps no rule, ever."""

    async def add(self, _draft: RuleDraft, _by: Principal) -> AlertRule:
        """Raise ``ToolFailedError``."""
        raise ToolFailedError("this is a rehearsal; nothing is stored")


class _AssumedRepositories(NoRepositoryImages):
    def reversible(self, _places: RepositoryPlaces) -> bool:
        return True


class _AssumedImages(NoBeforeImages):
    @property
    def repositories(self) -> RepositoryImages:
        return _AssumedRepositories()

    def reversible(self, _path: str) -> bool:
        return True


def rehearsal_tools(
    settings: Settings, roots: ToolRoots, *, home: str, cwd: str, images: BeforeImages | None = None
) -> ToolBox:
    """Give the tools for their effects alone; without ``images`` any change of a file can be undone."""
    return build_tools(
        settings,
        roots,
        NoSandbox(),
        images or _AssumedImages(),
        rooms=RoomParts(jobs=NoRooms(), rules=NoRules(), outbox=NoRooms(), carrier=NoRooms()),
        clock=SystemClock(),
        home=home,
        cwd=cwd,
    )


def tools_in(tools: ToolBox) -> tuple[Tool[Any], ...]:
    """Give every tool, offered to models or not."""
    return tuple(tools.get(name) for name in tools.names())


def reach_of(tools: Iterable[Tool[Any]]) -> tuple[ToolReach, ...]:
    """Give what each tool could declare."""
    return tuple(
        ToolReach(
            tool.name,
            tool.permission,
            tool.risk,
            KINDS.get(tool.name, frozenset(EFFECT_KINDS)),
            opaque=tool.name in OPAQUE or tool.name not in KINDS,
        )
        for tool in tools
    )
