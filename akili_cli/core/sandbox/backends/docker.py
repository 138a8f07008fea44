"""The docker sandbox: every command in a container of its own that shows only what the permit names.

Wider than the permit: with hosts, the container gets the engine's bridge, and hosts are not told apart; the
``network`` layer does not count as active then, nor when a directory that is shown holds a Unix socket. A program
that ends itself with a signal shows as exit code 128 plus its number, as the engine reports it.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from akili_cli.core.sandbox.backends.conversation import surely
from akili_cli.core.sandbox.backends.docker_client import Attached, DockerClient
from akili_cli.core.sandbox.backends.docker_engine import Engine, look, owner_labels, sweep
from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Layer
from akili_cli.core.sandbox.docker_command import Container, new_name, run_command
from akili_cli.core.sandbox.docker_mounts import Mount, first_socket, mounts_for
from akili_cli.core.sandbox.probe import LAYERS
from akili_cli.core.sandbox.scratch import Scratch, sweep_stale
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConfigError, SandboxError

_KILLED = -9
_ENGINE_FAILED, _KILLED_BY_KERNEL = 125, 137
_MAX_FILE_BYTES = 48 << 20
_CLOCK_SLACK_S = 5
_INNER = "files"


@dataclass(frozen=True, slots=True)
class _History:
    """What the engine recorded of one container; ``known`` is false when it could not be asked."""

    known: bool = False
    started: bool = False
    out_of_memory: bool = False
    exit_code: int | None = None


class DockerSandbox:
    """Runs commands as uid 65534 in ephemeral containers of one image, which is never pulled."""

    def __init__(self, settings: SandboxSettings, scratch_root: Path, clock: Clock, env: Mapping[str, str]) -> None:
        """Keep the parts; ``env`` is the operator's, of which PATH and DOCKER_HOST reach the docker client.

        Nothing is asked of the engine yet. Raises ``ConfigError`` when no image is named.
        """
        if settings.docker.image is None:
            raise ConfigError("sandbox.docker.image is missing", hint="name the image that commands run in")
        self._settings = settings
        self._image = settings.docker.image
        self._root = Path(os.path.realpath(scratch_root))
        self._clock = clock
        self._client = DockerClient(env)
        self._engine: Engine | None = None
        self._looking = threading.Lock()
        self._running: set[asyncio.Task[object]] = set()
        sweep_stale(self._root)

    def layers(self) -> tuple[Layer, ...]:
        """Report each layer; the engine is asked once, and again for as long as nothing can run."""
        return self._looked().layers()

    async def run(self, request: ExecRequest, permit: Permit) -> ExecResult:
        """Run to the end or the timeout, whichever is first; container and scratch directory are gone afterwards.

        The longest timeout is the one in the settings. Raises ``SandboxError`` when the request or the permit
        cannot be honoured exactly, or docker itself fails: then nothing was run, or the message says otherwise.
        """
        limit_s = self._checked(request)
        engine = await asyncio.to_thread(self._looked)
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
        try:
            mounts = mounts_for(permit.effects, permit.protected, request.cwd)
            active = await self._active(engine, permit.effects, mounts)
            scratch = Scratch(self._root, None)
            try:
                return await self._run(request, permit.effects, mounts, scratch, limit_s, active)
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
        self,
        request: ExecRequest,
        effects: Effects,
        mounts: tuple[Mount, ...],
        scratch: Scratch,
        limit_s: float,
        active: tuple[str, ...],
    ) -> ExecResult:
        name = new_name()
        files = _put(scratch, request.files)
        container = Container(name, owner_labels(), mounts, files, bridged=bool(effects.hosts))
        args = run_command(self._settings, container, request, limit_s)
        since, started = self._clock.now() - _CLOCK_SLACK_S, self._clock.monotonic()
        ended = await self._client.attach(name, args, request.stdin, self._settings.max_output_bytes, limit_s)
        duration_s = self._clock.monotonic() - started
        code, note = await self._judge(name, ended, since)
        return ExecResult(
            exit_code=code,
            stdout=ended.stdout.content(),
            stderr=ended.stderr.content() + note,
            duration_s=duration_s,
            timed_out=ended.code is None,
            truncated=ended.stdout.truncated or ended.stderr.truncated,
            layers=active,
        )

    async def _judge(self, name: str, ended: Attached, since: float) -> tuple[int, bytes]:
        """Tell the program's failure from docker's: the engine's record of the container decides."""
        code = ended.code
        if code is None:
            return _KILLED, b""
        if code == 0:
            return 0, b""
        history = await self._history(name, since)
        lines = ended.stderr.content().decode(errors="replace").strip().splitlines() or [f"exit code {code}"]
        if (history.known and not history.started) or (not history.known and code == _ENGINE_FAILED):
            raise SandboxError(
                f"the container did not start, nothing was run: {lines[0].removeprefix('docker: ')[:500]}"
            )
        if code < 0 or (history.known and history.exit_code != code):
            raise SandboxError("the docker client failed while the command ran; the container was removed")
        if history.out_of_memory and code == _KILLED_BY_KERNEL:
            memory = self._settings.max_memory_mb
            return (
                _KILLED,
                f"\nakili: ended, the command and its children held more than {memory} MB of memory\n".encode(),
            )
        return code, b""

    async def _history(self, name: str, since: float) -> _History:
        answer = await self._client.call(
            *("events", f"--since={since:.3f}", f"--until={self._clock.now():.3f}", f"--filter=container={name}"),
            *("--filter=event=start", "--filter=event=oom", "--filter=event=die"),
            '--format={{.Action}} {{index .Actor.Attributes "exitCode"}}',
        )
        if answer.code != 0:
            return _History()
        codes: dict[str, str] = {}
        for line in answer.stdout.splitlines():
            action, _, exit_code = line.strip().partition(" ")
            codes[action] = exit_code
        died = codes.get("die", "")
        return _History(
            known=True,
            started="start" in codes,
            out_of_memory="oom" in codes,
            exit_code=int(died) if died.isascii() and died.isdigit() else None,
        )

    async def _active(self, engine: Engine, effects: Effects, mounts: tuple[Mount, ...]) -> tuple[str, ...]:
        """List the layers that hold for this command; raise if nothing can run or a required one is missing."""
        if engine.problem:
            raise SandboxError(engine.problem, hint=engine.fix)
        if any(host.startswith("unix:") for host in effects.hosts):
            raise SandboxError("the docker sandbox reaches no socket of this machine", hint="use sandbox.type: process")
        missing = {layer.name: layer.detail for layer in engine.layers() if not layer.active}
        if effects.hosts:
            missing["network"] = "the permit names hosts, and a container's hosts are not filtered one by one"
        elif socket := await asyncio.to_thread(first_socket, mounts):
            missing["network"] = f"{socket} could be a way to a service of this machine"
        for name in self._settings.require:
            if name in missing:
                raise SandboxError(
                    f"the sandbox layer {name!r} is required and missing: {missing[name]}",
                    hint=f"take {name!r} out of sandbox.require to run without it",
                )
        return tuple(name for name in LAYERS if name not in missing)

    def _looked(self) -> Engine:
        with self._looking:
            if self._engine is None or self._engine.problem:
                self._engine = look(self._client, self._image)
                if not self._engine.problem:
                    sweep(self._client)
            return self._engine

    def _checked(self, request: ExecRequest) -> float:
        texts = (*request.argv, *request.env, *request.env.values(), request.cwd or "")
        if not request.argv or not request.argv[0] or any("\0" in text for text in texts):
            raise SandboxError("the command is empty or holds a NUL character")
        if not (request.timeout_s > 0 and math.isfinite(request.timeout_s)):
            raise SandboxError(f"{request.timeout_s} seconds is not a time limit")
        if sum(map(len, request.files.values())) > _MAX_FILE_BYTES:
            raise SandboxError(f"the files of this call are larger than {_MAX_FILE_BYTES >> 20} MB together")
        return min(request.timeout_s, self._settings.max_execution_seconds)


def _put(scratch: Scratch, files: Mapping[str, bytes]) -> str:
    """Write the files where uid 65534 can read them; the directory above stays closed to everybody but akili."""
    inner = scratch.path / _INNER
    inner.mkdir()
    scratch.put({f"{_INNER}/{name}" if _is_plain(name) else name: content for name, content in files.items()})
    for path in (inner, *inner.rglob("*")):
        path.chmod(0o755)
    return str(inner)


def _is_plain(name: str) -> bool:
    """Tell whether a name stays below the directory it is joined to; the others are left to be refused as they are."""
    return bool(name) and not name.startswith("/") and ".." not in name.split("/")
