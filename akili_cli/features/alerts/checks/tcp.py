"""``tcp``: a port takes connections."""

from __future__ import annotations

from dataclasses import dataclass

from akili_cli.domain.calls import Status, StepResult
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.features.alerts.checks.base import (
    TIMEOUT,
    Call,
    Config,
    by_status,
    host_port,
    timeout_problem,
    unknown_setting,
)
from akili_cli.features.alerts.model import Result
from akili_cli.features.alerts.tools import CHECK_TOOL


@dataclass(frozen=True, slots=True)
class Tcp:
    """No connection is ``alert``."""

    name: str = "tcp"
    help: str = "timeout_seconds (10); the target is host:port"
    from_target: str | None = None

    def problem(self, target: str, config: Config) -> str | None:
        """Say why it could never work."""
        if "://" in target:
            return "the target must be host:port"
        try:
            host_port(target)
        except InvalidArgumentsError as error:
            return str(error)
        return unknown_setting(config, ("timeout_seconds",)) or timeout_problem(config)

    def look(self, target: str, config: Config) -> Call:
        """Ask for a connection."""
        host, port = host_port(target)
        timeout = int(config.get("timeout_seconds", TIMEOUT))
        return Call(CHECK_TOOL, {"kind": "tcp", "host": host, "port": port, "timeout_s": timeout})

    def judge(self, step: StepResult, config: Config) -> Result:  # noqa: ARG002  # nothing to compare
        """Say whether it connected."""
        return by_status(step, step.status is Status.OK)


TCP = Tcp()
