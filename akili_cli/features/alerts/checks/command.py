"""``command``: a command in the sandbox ends with the expected exit code."""

from __future__ import annotations

from dataclasses import dataclass

from akili_cli.domain.calls import Status, StepResult
from akili_cli.features.alerts.checks.base import (
    TIMEOUT,
    Call,
    Config,
    number_problem,
    timeout_problem,
    unknown_setting,
)
from akili_cli.features.alerts.model import Result, Standing

MAX_EXIT = 255
MAX_OUTPUT_CHARS = 1000
_NOT_RUN = {126: "may not be executed in the sandbox", 127: "is not there in the sandbox"}


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """Another exit code and a timeout are ``alert``; a program that could not be started is ``error``."""

    name: str = "command"
    help: str = "command (the target), expected_exit (0), timeout_seconds (10)"
    from_target: str | None = "command"

    def problem(self, target: str, config: Config) -> str | None:  # noqa: ARG002  # the setting `command` is the target
        """Say why it could never work."""
        if not config["command"].strip():
            return "the command is empty"
        return (
            unknown_setting(config, ("command", "expected_exit", "timeout_seconds"))
            or number_problem(config, "expected_exit", 0, MAX_EXIT)
            or timeout_problem(config)
        )

    def look(self, target: str, config: Config) -> Call:  # noqa: ARG002  # as above
        """Ask for the command."""
        timeout = f"{int(config.get('timeout_seconds', TIMEOUT))}s"
        return Call("shell_exec", {"command": config["command"], "timeout": timeout})

    def judge(self, step: StepResult, config: Config) -> Result:
        """Compare the exit code."""
        said = step.text[-MAX_OUTPUT_CHARS:]
        if step.status is Status.TIMEOUT:
            return Result(Standing.ALERT, said)
        code, expected = step.metadata.get("exit_code"), int(config.get("expected_exit", "0"))
        if code == expected:
            return Result(Standing.OK, f"exit code {code}")
        if code is None:
            return Result(Standing.ERROR, said)
        if code in _NOT_RUN:
            return Result(Standing.ERROR, f"a program {_NOT_RUN[int(str(code))]}: {said}")
        return Result(Standing.ALERT, f"exit code {code} instead of {expected}: {said}")


COMMAND = CommandCheck()
