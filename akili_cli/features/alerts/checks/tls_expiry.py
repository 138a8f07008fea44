"""``tls_expiry``: a certificate is valid, and stays so for some days."""

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
    number_problem,
    timeout_problem,
    unknown_setting,
)
from akili_cli.features.alerts.model import Result
from akili_cli.features.alerts.tools import CHECK_TOOL

PORT = "443"
MIN_DAYS = "14"
MAX_DAYS = 3650


@dataclass(frozen=True, slots=True)
class TlsExpiry:
    """A certificate that ends earlier, is not valid for the host, or cannot be seen is ``alert``."""

    name: str = "tls_expiry"
    help: str = "min_days (14), timeout_seconds (10); the target is a host, host:port or an https URL"
    from_target: str | None = None

    def problem(self, target: str, config: Config) -> str | None:
        """Say why it could never work."""
        if target.lower().startswith("http://"):
            return "plain http has no certificate"
        try:
            host_port(target, PORT)
        except InvalidArgumentsError as error:
            return str(error)
        return (
            unknown_setting(config, ("min_days", "timeout_seconds"))
            or number_problem(config, "min_days", 0, MAX_DAYS)
            or timeout_problem(config)
        )

    def look(self, target: str, config: Config) -> Call:
        """Ask for a handshake."""
        host, port = host_port(target, PORT)
        return Call(
            CHECK_TOOL,
            {
                "kind": "tls",
                "host": host,
                "port": port,
                "min_days": int(config.get("min_days", MIN_DAYS)),
                "timeout_s": int(config.get("timeout_seconds", TIMEOUT)),
            },
        )

    def judge(self, step: StepResult, config: Config) -> Result:  # noqa: ARG002  # the tool compared already
        """Say whether it lasts."""
        return by_status(step, step.status is Status.OK)


TLS_EXPIRY = TlsExpiry()
