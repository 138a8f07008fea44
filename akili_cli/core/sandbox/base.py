"""The port every sandbox satisfies: a request, a permit, a result that names the layers that held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from akili_cli.domain.decisions import Permit


@dataclass(frozen=True, slots=True)
class Layer:
    """One safety layer: ``detail`` says what it does, or why it is missing; ``fix`` how to get it."""

    name: str
    active: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """What to run. ``cwd`` None means the run's fresh scratch directory, deleted afterwards.

    ``env`` is added to the sandbox's own clean environment; nothing is inherited from akili.
    """

    argv: tuple[str, ...]
    timeout_s: float
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What came of it. ``exit_code`` is the program's, or minus the signal number that ended it.

    ``stdout`` and ``stderr`` hold head and tail up to the cap; ``truncated`` says that a middle is missing.
    ``layers`` were active for this very command.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    duration_s: float
    timed_out: bool = False
    truncated: bool = False
    layers: tuple[str, ...] = ()


class Sandbox(Protocol):
    """A place to run a process that can do what the permit says and nothing else."""

    async def run(self, request: ExecRequest, permit: Permit) -> ExecResult:
        """Run to the end or the timeout; no process of it is left.

        A program that fails is a result, not an error. Raises ``SandboxError`` when a required layer
        cannot be set up: then nothing was run.
        """

    def layers(self) -> tuple[Layer, ...]:
        """Probe (once) and report each layer, active or not."""

    async def close(self) -> None:
        """End what is left."""
