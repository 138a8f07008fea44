"""The tool ``code_exec``: a script in a fresh directory of its own, without network."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Sandbox
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.shell.effects import MAX_LENGTH, SANDBOX_PATH, shell_effects
from akili_cli.core.tools.timeouts import timeout_of
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.risk import Risk

MAX_CODE_BYTES = 1 << 20
_SCRATCH = "/akili-scratch-of-this-run"  # stands for the fresh directory of a run, gone with it: no effect
_PROGRAMS = {"python3": "python3", "python": "python3", "sh": "sh", "bash": "bash"}
_SCRIPTS = {"python3": "script.py", "sh": "script.sh", "bash": "script.sh"}


class CodeArgs(ToolArgs):
    """What to run, in which language, for how long."""

    language: str = Field(max_length=40, json_schema_extra={"enum": list(_PROGRAMS)})
    code: str = Field(min_length=1, max_length=MAX_CODE_BYTES, description="the whole script")
    timeout: str | None = Field(None, max_length=40, description="like 10s, 2m or 1h30m")


class CodeExec:
    """Run a script and report its output."""

    name: ClassVar[str] = "code_exec"
    permission: ClassVar[str] = "code_exec"
    summary: ClassVar[str] = "Run a Python or shell script in the sandbox, in an empty directory and without network."
    risk: ClassVar[Risk] = Risk.HIGH
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = CodeArgs

    def __init__(
        self, sandbox: Sandbox, allowed_languages: Sequence[str], max_execution_seconds: int, home: str
    ) -> None:
        """Keep the sandbox, the allowed languages (none means no code), the longest timeout and the home."""
        self._sandbox = sandbox
        self._allowed = frozenset(_PROGRAMS[name] for name in allowed_languages)
        self._longest = float(max_execution_seconds)
        self._home = home

    def effects(self, args: CodeArgs) -> Effects:
        """Read a shell script as ``shell_exec`` reads a line; Python stays in its directory, so only it is named.

        Raises ``InvalidArgumentsError`` for a language that is unknown or not allowed, a timeout that is too long,
        code that is no text, and a script that says it needs the network.
        """
        program = self._program(args)
        timeout_of(args.timeout, self._longest)
        _encoded(args.code)
        if program == "python3":
            path = shutil.which(program, path=SANDBOX_PATH)
            return Effects(commands=(Command(program, (program, _SCRIPTS[program]), path and os.path.realpath(path)),))
        if len(args.code) > MAX_LENGTH:
            return Effects(opaque=f"the script is longer than the {MAX_LENGTH} characters that are read")
        effects = shell_effects(args.code, cwd=_SCRATCH, home=self._home)
        if effects.hosts:
            raise InvalidArgumentsError(
                f"code_exec has no network, and the script contacts {effects.hosts[0]}",
                hint="use web_fetch or shell_exec",
            )
        return dataclasses.replace(
            effects,
            reads=_outside(effects.reads),
            writes=_outside(effects.writes),
            deletes=_outside(effects.deletes),
        )

    async def run(self, args: CodeArgs, permit: Permit) -> ToolOutput:
        """Run the script; a non-zero exit or a timeout is a failed result, not an error."""
        program = self._program(args)
        script = _SCRIPTS[program]
        request = ExecRequest(
            (program, script), timeout_of(args.timeout, self._longest), files={script: _encoded(args.code)}
        )
        result = await self._sandbox.run(request, permit)
        return ToolOutput(
            text=_report(result, request.timeout_s),
            ok=result.exit_code == 0 and not result.timed_out,
            metadata={
                "language": program,
                "exit_code": result.exit_code,
                "duration_s": result.duration_s,
                "timed_out": result.timed_out,
                "truncated": result.truncated,
                "layers": list(result.layers),
            },
            untrusted="output of code_exec",
            timed_out=result.timed_out,
        )

    def _program(self, args: CodeArgs) -> str:
        program = _PROGRAMS.get(args.language)
        if program is None:
            raise InvalidArgumentsError(
                f"{args.language!r} is not a language of code_exec", hint=f"languages: {', '.join(_PROGRAMS)}"
            )
        if program not in self._allowed:
            raise InvalidArgumentsError(
                f"{args.language} is not an allowed language; allowed: {', '.join(sorted(self._allowed)) or 'none'}",
                hint="tools.code.allowed_languages names the languages that may be used",
            )
        return program


def _encoded(code: str) -> bytes:
    data = code.encode()
    if "\0" in code or len(data) > MAX_CODE_BYTES:
        raise InvalidArgumentsError(f"the code holds a NUL character or is longer than {MAX_CODE_BYTES} bytes")
    return data


def _outside(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(path for path in paths if path != _SCRATCH and not path.startswith(f"{_SCRATCH}/"))


def _report(result: ExecResult, timeout_s: float) -> str:
    lines = [text for text in (result.stdout.decode(errors="replace").rstrip("\n"),) if text]
    if errors := result.stderr.decode(errors="replace").rstrip("\n"):
        lines += ["[stderr]", errors]
    if result.truncated:
        lines.append("[the output was too long: its middle is missing]")
    if result.timed_out:
        lines.append(f"[stopped after the timeout of {timeout_s:g} s]")
    elif result.exit_code:
        lines.append(f"[exit code {result.exit_code}]")
    return "\n".join(lines) or "[no output]"
