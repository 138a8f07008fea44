"""``http_status``: a GET is answered with the expected status."""

from __future__ import annotations

from dataclasses import dataclass

from akili_cli.adapters.net.urls import parse_url
from akili_cli.domain.calls import Status, StepResult
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.features.alerts.checks.base import (
    TIMEOUT,
    Call,
    Config,
    by_status,
    number_problem,
    timeout_problem,
    unknown_setting,
)
from akili_cli.features.alerts.model import Result
from akili_cli.features.alerts.tools import CHECK_TOOL

LOWEST, HIGHEST = 100, 599


@dataclass(frozen=True, slots=True)
class HttpStatus:
    """Any other status, and no answer, is ``alert``; redirects are answers and are not followed."""

    name: str = "http_status"
    help: str = "url (the target), expected_status (200), timeout_seconds (10)"
    from_target: str | None = "url"

    def problem(self, target: str, config: Config) -> str | None:  # noqa: ARG002  # the setting `url` is the target
        """Say why it could never work."""
        try:
            parse_url(config["url"])
        except InvalidArgumentsError as error:
            return str(error)
        return (
            unknown_setting(config, ("url", "expected_status", "timeout_seconds"))
            or number_problem(config, "expected_status", LOWEST, HIGHEST)
            or timeout_problem(config)
        )

    def look(self, target: str, config: Config) -> Call:  # noqa: ARG002  # as above
        """Ask for a GET."""
        return Call(
            CHECK_TOOL,
            {
                "kind": "http",
                "url": config["url"],
                "expected_status": int(config.get("expected_status", "200")),
                "timeout_s": int(config.get("timeout_seconds", TIMEOUT)),
            },
        )

    def judge(self, step: StepResult, config: Config) -> Result:  # noqa: ARG002  # the tool compared already
        """Say whether the status was right."""
        return by_status(step, step.status is Status.OK)


HTTP_STATUS = HttpStatus()
