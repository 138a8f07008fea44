"""Everything that can be configured: the rooms' own settings, added up."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from akili_cli.adapters.llm.settings import ProvidersSettings
from akili_cli.adapters.secrets.settings import SecretsSettings
from akili_cli.adapters.storage.settings import StorageSettings
from akili_cli.adapters.telemetry.settings import MetricsSettings, TracingSettings
from akili_cli.config.policies import PoliciesSettings, RoleSettings, Word, Words
from akili_cli.core.agent.settings import AgentSettings, MemorySettings
from akili_cli.core.approvals.settings import ApprovalSettings
from akili_cli.core.budget.settings import BudgetSettings
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.core.tools.settings import ToolSettings
from akili_cli.core.undo.settings import UndoSettings
from akili_cli.features.alerts.settings import AlertingSettings
from akili_cli.features.anomalies.settings import AnomalySettings
from akili_cli.features.cron.settings import SchedulerSettings
from akili_cli.features.health.settings import HealthSettings
from akili_cli.features.heartbeats.settings import HeartbeatSettings
from akili_cli.features.notifications.settings import NotificationSettings
from akili_cli.gateways.settings import GatewaysSettings


class SecuritySettings(BaseModel):
    """``security``: who may ask for what. Left out, or without ``roles``, the built-in roles apply."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    roles: dict[Word, RoleSettings] = Field(default_factory=dict)
    user_roles: dict[Word, Word] = Field(default_factory=dict)
    default_role: Word | None = Field(None, description="for users without a role; none means denied")


class RunbooksSettings(BaseModel):
    """``runbooks``: further directories, and how closely a message must fit."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    directories: Words = Field((), strict=False, description="searched after the workspace's own")
    max_matches: int = Field(2, ge=1, le=20)
    match_threshold: float = Field(0.05, ge=0, le=1)


class ObservabilitySettings(BaseModel):
    """``observability``: how a node is watched."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    metrics: MetricsSettings = MetricsSettings.model_validate({})
    tracing: TracingSettings = TracingSettings.model_validate({})
    health: HealthSettings = HealthSettings.model_validate({})
    anomaly: AnomalySettings = AnomalySettings.model_validate({})


class LoggingSettings(BaseModel):
    """``logging``: what goes to stderr besides the command's own words."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    level: Literal["debug", "info", "warning", "error"] = "warning"
    as_json: bool = Field(False, alias="json")


DEFAULT_SECURITY: dict[str, object] = {
    "default_role": "operator",
    "roles": {
        "viewer": {"permissions": ["read_files", "web_search", "git_read"], "max_risk_level": "low"},
        "operator": {
            "permissions": [
                "read_files",
                "web_search",
                "shell_exec",
                "write_files",
                "git_read",
                "send_notification",
                "create_cronjob",
                "create_alert",
                "approve",
            ],
            "max_risk_level": "medium",
            "require_approval": ["write_files"],
        },
        "admin": {
            "permissions": [
                "read_files",
                "web_search",
                "shell_exec",
                "write_files",
                "git_read",
                "git_write",
                "code_exec",
                "send_notification",
                "create_cronjob",
                "create_alert",
                "approve",
            ],
            "max_risk_level": "critical",
            "require_approval": ["write_files", "git_write", "code_exec"],
        },
    },
}
"""The roles of a machine that nobody configured."""

DEFAULT_TOOLS: dict[str, object] = {"file": {"allowed_paths": ["."]}, "git": {"allowed_paths": ["."]}}
"""Without any config file the file and git tools see the directory akili was started in.

A config file that leaves these lists out gets empty ones: no path at all.
"""


def _default_security() -> SecuritySettings:
    return SecuritySettings.model_validate(DEFAULT_SECURITY)


class Settings(BaseModel):
    """The whole configuration, checked. Relative paths are taken from the directory akili was started in."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    storage: StorageSettings = StorageSettings()
    security: SecuritySettings = Field(default_factory=_default_security)
    policies: PoliciesSettings = PoliciesSettings()
    budget: BudgetSettings = BudgetSettings.model_validate({})
    sandbox: SandboxSettings = SandboxSettings.model_validate({})
    tools: ToolSettings = ToolSettings()
    approval: ApprovalSettings = ApprovalSettings.model_validate({})
    providers: ProvidersSettings = ProvidersSettings.model_validate({})
    secrets: SecretsSettings = SecretsSettings.model_validate({})
    memory: MemorySettings = MemorySettings.model_validate({})
    agent: AgentSettings = AgentSettings.model_validate({})
    runbooks: RunbooksSettings = RunbooksSettings.model_validate({})
    undo: UndoSettings = UndoSettings.model_validate({})
    scheduler: SchedulerSettings = SchedulerSettings.model_validate({})
    heartbeat_tasks: HeartbeatSettings = HeartbeatSettings.model_validate({})
    notification: NotificationSettings = NotificationSettings.model_validate({})
    alerting: AlertingSettings = AlertingSettings.model_validate({})
    gateways: GatewaysSettings = GatewaysSettings()
    logging: LoggingSettings = LoggingSettings.model_validate({})
    observability: ObservabilitySettings = ObservabilitySettings()
