"""The sandbox of macOS, by its own sandbox-exec. Untested on a live macOS: only its profile and its handling are.

Leftovers are ended as one process group; a command that leaves the group outlives it, and memory is not limited.
"""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path

from akili_cli.core.sandbox.backends import attached
from akili_cli.core.sandbox.backends.conversation import surely
from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Layer
from akili_cli.core.sandbox.output import HeadTail
from akili_cli.core.sandbox.probe import LAYERS
from akili_cli.core.sandbox.scratch import Scratch, sweep_stale
from akili_cli.core.sandbox.seatbelt_profile import seatbelt_profile
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import SandboxError

SANDBOX_EXEC = Path("/usr/bin/sandbox-exec")
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_LIMITS = 'ulimit -t "$1" && ulimit -f "$2" && ulimit -n 1024 && ulimit -c 0 || exit 125; shift 2; exec "$@"'
_CPU_S_PER_CORE = 60
_BLOCKS_PER_MB = 2048
_FLUSH_S = 1.0
_KILLED = -9
_UNTESTED = "; untested on a live macOS"
_MISSING = {
    "processes": "no namespace on macOS; leftovers are ended by process group",
    "syscalls": "no system call filter on macOS",
    "limits": "CPU time, file size and descriptors only; memory and processes are not limited",
    "cgroup": "no control groups on macOS",
    "identity": "commands keep akili's own uid",
}
_HELD = {"files": "a seatbelt profile made from the permit", "network": "a seatbelt profile without any socket"}


class SeatbeltSandbox:
    """Runs commands under a profile that denies everything but the permit."""

    def __init__(
        self, settings: SandboxSettings, scratch_root: Path, clock: Clock, *, program: Path = SANDBOX_EXEC
    ) -> None:
        """Sweep scratch directories of dead processes; ``program`` is where sandbox-exec lies."""
        self._settings = settings
        self._root = Path(os.path.realpath(scratch_root))
        self._clock = clock
        self._program = program
        self._running: set[asyncio.Task[object]] = set()
        sweep_stale(self._root)

    def layers(self) -> tuple[Layer, ...]:
        """Report each layer, active or not."""
        missing = dict(_MISSING)
        if not self._program.exists():
            missing |= dict.fromkeys(_HELD, f"there is no {self._program}")
        return tuple(
            Layer(name, name not in missing, missing.get(name) or _HELD[name] + _UNTESTED, "use `sandbox.type: docker`")
            for name in LAYERS
        )

    async def run(self, request: ExecRequest, permit: Permit) -> ExecResult:
        """Run to the end or the timeout, whichever is first; the scratch directory is gone afterwards.

        Raises ``SandboxError`` when the request or the permit cannot be honoured, or a layer is missing that is
        required: then nothing was run.
        """
        limit_s = self._checked(request)
        active = self._active()
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
        try:
            scratch = Scratch(self._root, None)
            try:
                return await self._run(request, permit, scratch, limit_s, active)
            finally:
                await surely(asyncio.to_thread(scratch.remove))
        finally:
            if task is not None:
                self._running.discard(task)

    async def close(self) -> None:
        """End the commands that still run."""
        others = self._running - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)

    async def _run(
        self, request: ExecRequest, permit: Permit, scratch: Scratch, limit_s: float, active: tuple[str, ...]
    ) -> ExecResult:
        cwd = _real(request.cwd or str(scratch.path))
        profile = seatbelt_profile(permit.effects, permit.protected, scratch=str(scratch.path), cwd=cwd)
        scratch.put(request.files)
        out, err = HeadTail(self._settings.max_output_bytes), HeadTail(self._settings.max_output_bytes)
        home = str(scratch.path)
        env = {"PATH": PATH, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "TERM": "dumb", **request.env}
        started, timed_out = self._clock.monotonic(), False
        process = await attached.start(self._argv(profile, request), stdin=bool(request.stdin), env=env, cwd=cwd)
        try:
            async with asyncio.timeout(limit_s):
                await attached.serve(process, request.stdin, out, err)
        except TimeoutError:
            timed_out = True
            attached.kill_group(process.pid)
        finally:
            if process.returncode is None:
                attached.kill_group(process.pid)
            await surely(attached.flush(process, out, err, _FLUSH_S))
        return ExecResult(
            exit_code=_KILLED if timed_out or process.returncode is None else process.returncode,
            stdout=out.content(),
            stderr=err.content(),
            duration_s=self._clock.monotonic() - started,
            timed_out=timed_out,
            truncated=out.truncated or err.truncated,
            layers=active,
        )

    def _argv(self, profile: str, request: ExecRequest) -> tuple[str, ...]:
        cpu_s = (self._settings.max_cpu_cores or 1) * _CPU_S_PER_CORE
        blocks = self._settings.max_file_mb * _BLOCKS_PER_MB
        shell = ("/bin/sh", "-c", _LIMITS, "sh", str(cpu_s), str(blocks))
        return (str(self._program), "-p", profile, *shell, *request.argv)

    def _active(self) -> tuple[str, ...]:
        """List the layers that hold; raise if the profile cannot be put on or a required one is missing."""
        missing = {layer.name: layer.detail for layer in self.layers() if not layer.active}
        for name in (*_HELD, *self._settings.require):
            if name in missing:
                raise SandboxError(
                    f"the sandbox layer {name!r} is required and missing: {missing[name]}",
                    hint="use `sandbox.type: docker`",
                )
        return tuple(name for name in LAYERS if name not in missing)

    def _checked(self, request: ExecRequest) -> float:
        texts = (*request.argv, *request.env, *request.env.values(), request.cwd or "")
        if not request.argv or not request.argv[0] or any("\0" in text for text in texts):
            raise SandboxError("the command is empty or holds a NUL character")
        if any(not name or "=" in name for name in request.env):
            raise SandboxError("an environment variable has no name, or a '=' in its name")
        if not (request.timeout_s > 0 and math.isfinite(request.timeout_s)):
            raise SandboxError(f"{request.timeout_s} seconds is not a time limit")
        return min(request.timeout_s, self._settings.max_execution_seconds)


def _real(path: str) -> str:
    return os.path.realpath(path)
