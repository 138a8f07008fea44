from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.sandbox.base import ExecRequest, ExecResult
from akili_cli.core.tools.git.repository import Repository
from akili_cli.core.tools.git.running import GitCall, repository_at, run_git
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError
from tests.fakes.permits import permit_for
from tests.fakes.sandbox import PlainSandbox

REPOSITORY = Repository("/repo", "/repo/.git", "/repo/.git", ("/repo",), ())

CUT = "[cut: the middle of the output is missing; narrow the question]"


class Ending(PlainSandbox):
    """Ends every command the same way."""

    def __init__(self, result: ExecResult) -> None:
        super().__init__()
        self.result = result

    async def run(self, request: ExecRequest, permit: Permit) -> ExecResult:
        self.requests.append(request)
        return self.result


def call() -> GitCall:
    return GitCall(REPOSITORY, "log", ("-1",), "/repo/sub", ("git", "-x", "log", "-1"), {"A": "b"})


async def ended(result: ExecResult, **more: tuple[str, ...]) -> ToolOutput:
    return await run_git(Ending(result), call(), permit_for(Effects()), 3.0, silent="[nothing]", **more)


async def test_output_is_labelled_as_the_repositorys_and_carries_how_it_ended() -> None:
    out = await ended(ExecResult(0, b"one\n", b"two\n", 0.5, layers=("files",)), hints=("[hint]",))
    assert (out.text, out.ok, out.untrusted) == ("one\ntwo\n[hint]", True, "git /repo")
    assert out.metadata == {
        "subcommand": "log",
        "exit_code": 0,
        "duration": 0.5,
        "repository": "/repo",
        "layers": ["files"],
    }


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (ExecResult(0, b"", b"", 0.1), "[nothing]"),
        (ExecResult(128, b"", b"fatal", 0.1), "fatal\n[exit code 128]"),
        (ExecResult(-9, b"", b"", 3.0, timed_out=True), "[git was stopped after 3 s; see git_read status]"),
        (
            ExecResult(0, b"x", b"", 0.1, truncated=True),
            "x\n[cut: the middle of the output is missing; narrow the question]",
        ),
    ],
    ids=["silent", "failed", "timeout", "cut"],
)
async def test_what_went_wrong_is_said(result: ExecResult, said: str) -> None:
    out = await ended(result)
    assert (out.text, out.ok) == (said, result.exit_code == 0)


async def test_git_gets_the_hardened_line_and_rules_see_the_one_asked_for() -> None:
    sandbox = Ending(ExecResult(0, b"", b"", 0.1))
    await run_git(sandbox, call(), permit_for(Effects()), 3.0, silent="")
    (request,) = sandbox.requests
    assert (request.argv, request.cwd, request.env, request.timeout_s) == (call().argv, "/repo/sub", {"A": "b"}, 3.0)
    assert call().command.argv == ("git", "log", "-1")


def test_a_place_without_a_repository_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentsError):
        repository_at(str(tmp_path))
