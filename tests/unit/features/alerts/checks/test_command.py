from __future__ import annotations

import pytest

from akili_cli.domain.calls import Status, StepResult
from akili_cli.features.alerts.checks.command import COMMAND
from tests.fakes.alerts import step


def test_it_asks_for_the_command_in_the_sandbox() -> None:
    call = COMMAND.look("x", {"command": "df /", "timeout_seconds": "5"})
    assert (call.tool, call.arguments) == ("shell_exec", {"command": "df /", "timeout": "5s"})


@pytest.mark.parametrize(
    ("answer", "expected_exit", "status"),
    [
        (step(Status.OK, exit_code=0), "0", "ok"),
        (step(Status.FAILED, exit_code=1), "0", "alert"),
        (step(Status.FAILED, exit_code=1), "1", "ok"),
        (step(Status.OK, exit_code=0), "1", "alert"),
        (step(Status.TIMEOUT, exit_code=0), "0", "alert"),
        (step(Status.FAILED, exit_code=127), "0", "error"),
        (step(Status.FAILED), "0", "error"),
    ],
    ids=["good", "bad", "bad as expected", "good against expectation", "too long", "not there", "no sandbox"],
)
def test_the_exit_code_decides(answer: StepResult, expected_exit: str, status: str) -> None:
    assert COMMAND.judge(answer, {"expected_exit": expected_exit}).status == status


@pytest.mark.parametrize(
    "config",
    [{"command": " "}, {"command": "a", "expected_exit": "256"}, {"command": "a", "working_dir": "/"}],
    ids=str,
)
def test_what_could_never_work_is_said(config: dict[str, str]) -> None:
    assert COMMAND.problem("x", config)
