"""The tool ``sandbox_probe``: a person's own command in the sandbox, with grants the person asks for.

It exists for ``akili sandbox run`` alone; models are not offered it and no other process has it.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from akili_cli.core.sandbox.base import ExecRequest, Sandbox
from akili_cli.core.tools.base import ToolArgs
from akili_cli.core.tools.builtin.shell_exec import ShellArgs, ShellExec
from akili_cli.core.tools.shell.effects import MAX_LENGTH
from akili_cli.core.tools.timeouts import timeout_of
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.hosts import host_name, split_host
from akili_cli.domain.risk import Risk

_MAX_PORT = 65_535


class SandboxProbeArgs(ToolArgs):
    """A command, and what it shall be granted beyond what it shows to need."""

    argv: tuple[str, ...] = Field(min_length=1, max_length=1000, strict=False)
    read: tuple[str, ...] = Field((), max_length=100, strict=False, description="absolute paths")
    write: tuple[str, ...] = Field((), max_length=100, strict=False, description="absolute paths")
    net: tuple[str, ...] = Field((), max_length=100, strict=False, description="host:port")
    timeout: str | None = Field(None, max_length=40)


class SandboxProbe:
    """Run a person's command in the sandbox and report what came of it, stream by stream."""

    name: ClassVar[str] = "sandbox_probe"
    permission: ClassVar[str] = "shell_exec"
    summary: ClassVar[str] = "Run a person's command in the sandbox."
    risk: ClassVar[Risk] = Risk.HIGH
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = SandboxProbeArgs

    def __init__(self, sandbox: Sandbox, max_execution_seconds: int, home: str) -> None:
        """Keep the sandbox, the longest timeout and the home."""
        self._sandbox = sandbox
        self._longest = float(max_execution_seconds)
        self._shell = ShellExec(sandbox, (), max_execution_seconds, home)

    def effects(self, args: SandboxProbeArgs) -> Effects:
        """Declare what the command line shows, and the grants."""
        shown = self._shell.effects(self._line(args))
        return dataclasses.replace(
            shown,
            reads=_joined(shown.reads, map(_path, args.read)),
            writes=_joined(shown.writes, map(_path, args.write)),
            hosts=_joined(shown.hosts, map(_host, args.net)),
            reversible=shown.reversible and not args.write,
        )

    async def run(self, args: SandboxProbeArgs, permit: Permit) -> ToolOutput:
        """Run it; a failed command is a failed result."""
        result = await self._sandbox.run(ExecRequest(args.argv, timeout_of(args.timeout, self._longest)), permit)
        return ToolOutput(
            text=result.stdout.decode(errors="replace"),
            ok=result.exit_code == 0 and not result.timed_out,
            metadata={
                "exit_code": result.exit_code,
                "stderr": result.stderr.decode(errors="replace"),
                "duration_s": result.duration_s,
                "timed_out": result.timed_out,
                "truncated": result.truncated,
                "layers": list(result.layers),
            },
            untrusted="output of sandbox_probe",
            timed_out=result.timed_out,
        )

    @staticmethod
    def _line(args: SandboxProbeArgs) -> ShellArgs:
        line = shlex.join(args.argv)
        if len(line) > MAX_LENGTH:
            raise InvalidArgumentsError(f"the command is longer than {MAX_LENGTH} characters")
        return ShellArgs(command=line, timeout=args.timeout)


def _joined(shown: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*shown, *more)))


def _path(text: str) -> str:
    if not text.startswith("/") or "\0" in text:
        raise InvalidArgumentsError(f"{text!r} is not an absolute path")
    return os.path.realpath(text)


def _host(text: str) -> str:
    name, port = split_host(text)
    host = host_name(name)
    if host is None or not (port.isascii() and port.isdigit() and 0 < int(port) <= _MAX_PORT):
        raise InvalidArgumentsError(f"{text!r} is not host:port")
    return f"[{host}]:{int(port)}" if ":" in host else f"{host}:{int(port)}"
