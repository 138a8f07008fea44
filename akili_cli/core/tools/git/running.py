"""How the git tools call git in the sandbox, and what they say of it afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Sandbox
from akili_cli.core.tools.git.repository import Repository, find_repository
from akili_cli.core.tools.shell.effects import SANDBOX_PATH
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Command
from akili_cli.domain.errors import InvalidArgumentsError


@dataclass(frozen=True, slots=True)
class GitCall:
    """A git command that passed every check: what was asked, and how git is called for it."""

    repository: Repository
    subcommand: str
    passed: tuple[str, ...]
    cwd: str
    argv: tuple[str, ...]
    env: Mapping[str, str]

    @property
    def command(self) -> Command:
        """The command as asked for, for rules and people."""
        program = shutil.which("git", path=SANDBOX_PATH)
        argv = ("git", self.subcommand, *self.passed)
        return Command("git", argv, program and os.path.realpath(program))


def repository_at(path: str) -> Repository:
    """Give the repository as ``find_repository`` does; one that cannot be looked at is invalid too."""
    try:
        return find_repository(path)
    except OSError as error:
        raise InvalidArgumentsError(f"{path!r} cannot be looked at: {error.strerror}") from error


async def run_git(
    sandbox: Sandbox, call: GitCall, permit: Permit, timeout_s: float, *, silent: str, hints: Sequence[str] = ()
) -> ToolOutput:
    """Run it; what git complains about is ``ok=False``. ``silent`` stands for no output, ``hints`` come last."""
    if call.command.path is None:
        return ToolOutput("git is not installed where commands run", ok=False)
    request = ExecRequest(call.argv, timeout_s=timeout_s, cwd=call.cwd, env=call.env)
    done = await sandbox.run(request, permit)
    texts = [part.decode("utf-8", "replace").rstrip("\n") for part in (done.stdout, done.stderr)]
    return ToolOutput(
        "\n".join(text for text in (*texts, *_notes(done), *hints) if text) or silent,
        ok=done.exit_code == 0 and not done.timed_out,
        metadata={
            "subcommand": call.subcommand,
            "exit_code": done.exit_code,
            "duration": done.duration_s,
            "repository": call.repository.top,
            "layers": list(done.layers),
        },
        untrusted=f"git {call.repository.top}",
        timed_out=done.timed_out,
    )


def _notes(done: ExecResult) -> list[str]:
    notes = ["[cut: the middle of the output is missing; narrow the question]"] if done.truncated else []
    if done.timed_out:
        notes.append(f"[git was stopped after {done.duration_s:.0f} s; see git_read status]")
    elif done.exit_code:
        notes.append(f"[exit code {done.exit_code}]")
    return notes
