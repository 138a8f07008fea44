"""The tool ``shell_exec``: one shell line, its effects declared beforehand, run in the sandbox."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Sandbox
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.shell.effects import MAX_LENGTH, shell_effects
from akili_cli.core.tools.timeouts import timeout_of
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.risk import Risk

_SCRATCH = "/akili-scratch-of-this-run"  # stands for the fresh directory of a run, gone with it: no effect
_NOT_RUN = {
    126: "exit code 126: the program was found but may not be executed here",
    127: "exit code 127: a program was not found in the sandbox",
}


class ShellArgs(ToolArgs):
    """What to run, for how long, and where."""

    command: str = Field(min_length=1, max_length=MAX_LENGTH, description="run as `sh -c`")
    timeout: str | None = Field(None, max_length=40, description="like 10s, 2m or 1h30m")
    working_dir: str | None = Field(None, max_length=4096, description="absolute path of a directory")


class ShellExec:
    """Run a shell command and report its output."""

    name: ClassVar[str] = "shell_exec"
    permission: ClassVar[str] = "shell_exec"
    summary: ClassVar[str] = "Run a shell command in the sandbox and give its output."
    risk: ClassVar[Risk] = Risk.HIGH
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = ShellArgs

    def __init__(self, sandbox: Sandbox, allowed_paths: Sequence[str], max_execution_seconds: int, home: str) -> None:
        """Keep the sandbox, the directories a command may start in, the longest timeout and the home."""
        self._sandbox = sandbox
        self._allowed = tuple(Path(path).resolve() for path in allowed_paths)
        self._longest = float(max_execution_seconds)
        self._home = home

    def effects(self, args: ShellArgs) -> Effects:
        """Read the line; refuse a timeout or directory that can never be right."""
        timeout_of(args.timeout, self._longest)
        cwd = self._directory(args)
        if not args.command.strip():
            raise InvalidArgumentsError("the command is empty", hint="give a command to run")
        effects = shell_effects(args.command, cwd=cwd or _SCRATCH, home=self._home)
        if cwd is None:
            return dataclasses.replace(
                effects,
                reads=_outside(effects.reads),
                writes=_outside(effects.writes),
                deletes=_outside(effects.deletes),
            )
        return dataclasses.replace(effects, reads=tuple(dict.fromkeys((*effects.reads, cwd))))

    async def run(self, args: ShellArgs, permit: Permit) -> ToolOutput:
        """Run ``sh -c command``; a non-zero exit or a timeout is a failed result, not an error."""
        request = ExecRequest(
            ("sh", "-c", args.command), timeout_of(args.timeout, self._longest), cwd=self._directory(args)
        )
        result = await self._sandbox.run(request, permit)
        metadata: dict[str, object] = {
            "exit_code": result.exit_code,
            "duration_s": result.duration_s,
            "timed_out": result.timed_out,
            "truncated": result.truncated,
            "layers": list(result.layers),
        }
        return ToolOutput(
            text=_report(result, request.timeout_s),
            ok=result.exit_code == 0 and not result.timed_out,
            metadata=metadata,
            untrusted="output of shell_exec",
            timed_out=result.timed_out,
        )

    def _directory(self, args: ShellArgs) -> str | None:
        if args.working_dir is None:
            return None
        given = Path(args.working_dir)
        if not given.is_absolute() or "\x00" in args.working_dir:
            raise InvalidArgumentsError("working_dir is not an absolute path", hint="start it with /")
        try:
            real = given.resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise InvalidArgumentsError(f"working_dir {args.working_dir!r} does not exist") from error
        if not any(real.is_relative_to(root) for root in self._allowed):
            raise InvalidArgumentsError(
                f"working_dir {str(real)!r} lies outside the allowed paths",
                hint="tools.file.allowed_paths names the directories that may be used",
            )
        if not real.is_dir():
            raise InvalidArgumentsError(f"working_dir {str(real)!r} is not a directory")
        return str(real)


def _outside(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what lies in the run's own scratch directory."""
    return tuple(path for path in paths if path != _SCRATCH and not path.startswith(f"{_SCRATCH}/"))


def _report(result: ExecResult, timeout_s: float) -> str:
    lines = []
    if output := result.stdout.decode(errors="replace").rstrip("\n"):
        lines.append(output)
    if errors := result.stderr.decode(errors="replace").rstrip("\n"):
        lines += ["[stderr]", errors]
    if result.truncated:
        lines.append("[the output was too long: its middle is missing]")
    if result.timed_out:
        lines.append(f"[stopped after the timeout of {timeout_s:g} s]")
    elif result.exit_code:
        lines.append(f"[{_NOT_RUN.get(result.exit_code, f'exit code {result.exit_code}')}]")
    return "\n".join(lines) or "[no output]"
