"""The process sandbox: every command under all layers the machine offers, each of which is reported."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from akili_cli.core.sandbox import delegation, privileges, proxy
from akili_cli.core.sandbox.backends.conversation import Outcome, ask, converse, surely
from akili_cli.core.sandbox.backends.fields import encoded, fields_of, limits_of, numbers
from akili_cli.core.sandbox.backends.spawn import Zygote
from akili_cli.core.sandbox.backends.staged import Staging
from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Layer
from akili_cli.core.sandbox.grants import Grants, base_rules, grants_for
from akili_cli.core.sandbox.ownership import FOR_OWNER
from akili_cli.core.sandbox.probe import LAYERS, OWNERS_FIX, USERNS_FIX, Probe
from akili_cli.core.sandbox.repositories import Repositories, repositories_below
from akili_cli.core.sandbox.scratch import Scratch, sweep_stale
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import Clock
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import SandboxError

_MIB = 1 << 20
_IDLE = 3
_TRIES = 3
_KILLED = -9
_MAX_COMMAND_BYTES = 4 * _MIB


class ProcessSandbox:
    """Runs commands as confined processes of this machine.

    As root, commands run as uid 65534. What a permit lets them change and only its owner could is given to them
    exactly, see ``foreign``; what is created belongs to the owner of its directory.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        scratch_root: Path,
        clock: Clock,
        *,
        private_hosts: tuple[str, ...] = (),
        without: frozenset[str] = frozenset(),
    ) -> None:
        """Sweep scratch directories of dead processes; nothing is probed yet.

        ``private_hosts`` are the ``host:port`` pairs whose names may stand for private addresses.
        ``without`` names steps to do without, as on a machine that lacks them: for tests of what is then open.
        """
        self._settings = settings
        self._root = Path(os.path.realpath(scratch_root))
        self._clock = clock
        self._probe: Probe | None = None
        self._owner = privileges.NOBODY if os.geteuid() == 0 else None
        self._without = without
        self._private_hosts = private_hosts
        steps = [name for name in Probe(self._owner is not None).wanted() if name not in without]
        base = [(rule.path, rule.rights) for rule in base_rules()]
        self._zygote = Zygote(steps, _IDLE, base)
        self._observer = Zygote([name for name in steps if name != "net_namespace"], 1, base)
        self._running: set[asyncio.Task[object]] = set()
        sweep_stale(self._root)

    def layers(self) -> tuple[Layer, ...]:
        """Report each layer, after trying it for real the first time (about 30 ms)."""
        return self._probed().layers()

    async def run(self, request: ExecRequest, permit: Permit) -> ExecResult:
        """Run to the end or the timeout, whichever is first; no process of it is left, nor its scratch directory.

        The longest timeout is the one in the settings. Raises ``SandboxError`` when the request or the permit
        cannot be honoured exactly, or a layer cannot be set up: then nothing was run.
        """
        timeout_s = self._checked(request)
        probe = self._probed()
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
        try:
            scratch = Scratch(self._root, self._owner)
            try:
                return await self._run(request, permit, probe, scratch, timeout_s)
            finally:
                if not scratch.remove_empty():
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
        for zygote in (self._zygote, self._observer):
            await asyncio.to_thread(zygote.close)

    async def _run(
        self, request: ExecRequest, permit: Permit, probe: Probe, scratch: Scratch, timeout_s: float
    ) -> ExecResult:
        cwd = str(scratch.path) if request.cwd is None else _directory(request.cwd)
        mounts = probe.works("mount_namespace")
        grants = grants_for(
            permit.effects, permit.protected, scratch=str(scratch.path), cwd=cwd, mounts=mounts, uid=self._owner
        )
        active = self._active(probe, grants)
        scratch.put(request.files)
        places = [path for path in grants.writable if path != str(scratch.path)]
        guarded = await asyncio.to_thread(repositories_below, places) if places else Repositories()
        fields = fields_of(
            self._settings, request, grants, guarded, probe, cwd=cwd, scratch=scratch.path, timeout_s=timeout_s
        )
        started = self._clock.monotonic()
        door = proxy.Proxy(grants.network.hosts, self._private_hosts) if grants.network.hosts else None
        with contextlib.closing(self._staging(grants)) as staging:
            for _ in range(_TRIES):  # a zygote that died meanwhile is replaced, if nothing of the command had run
                outcome = await converse(
                    self._observer if grants.network.shared else self._zygote,
                    fields,
                    stdin=request.stdin,
                    cap_bytes=self._settings.max_output_bytes,
                    timeout_s=timeout_s,
                    owner=self._owner,
                    door=door,
                    staging=staging,
                )
                if outcome.started or outcome.fields:
                    break
            result = self._result(outcome, self._clock.monotonic() - started, active)
            refusals = [*(door.refusals if door else ()), *staging.strays()]
            if grants.foreign.stages:
                if "exit" in outcome.fields:
                    await surely(asyncio.to_thread(staging.carry_over))
                else:
                    refusals.append("no file of another owner was changed, for the command did not end by itself")
        notes = [f"akili: refused: {refusal}\n" for refusal in refusals]
        notes += [f"akili: removed {path}: it would redirect git\n" for path in guarded.undo_redirects()]
        return dataclasses.replace(result, stderr=result.stderr + "".join(notes).encode()) if notes else result

    def _staging(self, grants: Grants) -> Staging:
        file, disk = self._settings.max_file_mb * _MIB, self._settings.max_disk_mb * _MIB
        return Staging(grants.foreign.stages, max_file_bytes=file, max_bytes=disk)

    def _checked(self, request: ExecRequest) -> float:
        texts = (*request.argv, *request.env, *request.env.values(), request.cwd or "")
        if not request.argv or not request.argv[0] or any("\0" in text for text in texts):
            raise SandboxError("the command is empty or holds a NUL character")
        if sum(map(len, encoded(texts))) > _MAX_COMMAND_BYTES:
            raise SandboxError("the command and its environment are too long", hint="pass long text as a file or stdin")
        if any(not name or "=" in name for name in request.env):
            raise SandboxError("an environment variable has no name, or a '=' in its name")
        if not (request.timeout_s > 0 and math.isfinite(request.timeout_s)):
            raise SandboxError(f"{request.timeout_s} seconds is not a time limit")
        return min(request.timeout_s, self._settings.max_execution_seconds)

    def _active(self, probe: Probe, grants: Grants) -> tuple[str, ...]:
        """List the layers that hold for this command; raise if a required one is missing."""
        missing = {layer.name: layer for layer in probe.layers() if not layer.active}
        if self._owner is not None and "identity" in missing:
            raise SandboxError(
                f"akili runs as root and cannot give root up for a command: {missing['identity'].detail}",
                hint=missing["identity"].fix,
            )
        if grants.network.hosts and not probe.works("net_namespace"):
            raise SandboxError(
                f"hosts cannot be told apart without a network namespace: {probe.failed.get('net_namespace', '')}",
                hint=USERNS_FIX,
            )
        if grants.foreign and (problem := probe.cannot_act_for_owners(mapped=bool(grants.foreign.mapped))):
            path = (*grants.foreign.mapped, *sorted(grants.foreign.names))[0]
            raise SandboxError(
                f"{path} is not open to uid {self._owner}, which commands of a root akili run as, and cannot be opened "
                f"to it: {problem}",
                hint=OWNERS_FIX,
            )
        if grants.network.reaches_out:
            detail = "the permit names local sockets, which the kernel cannot tell apart"
            missing["network"] = Layer("network", active=False, detail=detail)
        for name in self._settings.require:
            if name in missing:
                raise SandboxError(
                    f"the sandbox layer {name!r} is required and missing: {missing[name].detail}",
                    hint=missing[name].fix or f"take {name!r} out of sandbox.require to run without it",
                )
        return tuple(name for name in LAYERS if name not in missing)

    def _result(self, outcome: Outcome, duration_s: float, active: tuple[str, ...]) -> ExecResult:
        fields = outcome.fields
        stopped = _text(fields, "stopped")
        if "error" in fields or not ("exit" in fields or stopped):
            reason = _text(fields, "error") or outcome.stderr.decode(errors="replace").strip()[-500:]
            raise SandboxError(
                f"the command did not run, the sandbox could not be set up: {reason}",
                hint=OWNERS_FIX if FOR_OWNER in reason else "",
            )
        if left := int(_text(fields, "left") or "0"):
            raise SandboxError(f"{left} processes of the command could not be ended")
        stderr = outcome.stderr
        if stopped in _NOTES:
            stderr += _NOTES[stopped].format(self._settings).encode()
        return ExecResult(
            exit_code=_KILLED if stopped else int(_text(fields, "exit")),
            stdout=outcome.stdout,
            stderr=stderr,
            duration_s=duration_s,
            timed_out=stopped == "timeout",
            truncated=outcome.truncated,
            layers=active,
        )

    def _probed(self) -> Probe:
        if self._probe is None:
            self._probe = self._try_steps()
        return self._probe

    def _try_steps(self) -> Probe:
        probe, skipped = Probe(root=self._owner is not None), dict.fromkeys(self._without, "done without")
        try:
            if "cgroup" not in skipped:
                room = delegation.make_room()
                for zygote in (self._zygote, self._observer):
                    zygote.make_groups(room.path, room.limits(self._settings))
        except delegation.NotDelegatedError as error:
            skipped["cgroup"] = str(error)
        scratch = Scratch(self._root, self._owner)
        try:
            path = str(scratch.path)
            request = {
                "probe": [],
                "layers": encoded(name for name in probe.wanted() if name not in skipped),
                "cwd": encoded([path]),
                "writable": encoded([path]),
                "covered": encoded([str(self._root)]),
                "private": [],
                "mapped": [],
                "staged": [],
                "copied": [],
                "shown": [],
                "pinned": [],
                "frozen": [],
                "rule_paths": encoded([path]),
                "rule_rights": numbers([0xFFFF]),
                "rule_flags": encoded(["plain"]),
                "families": [],
                "ports": [],
                "timeout_ms": numbers([5000]),
                **limits_of(self._settings),
            }
            fields = ask(self._zygote, request)
        finally:
            scratch.remove()
        if "probe" not in fields:
            raise SandboxError(f"the sandbox cannot be probed: {_text(fields, 'error') or 'no answer'}")
        failed = {name: _text(fields, name) for name in fields if name not in ("probe", "left")}
        return Probe(probe.root, failed | skipped)


_NOTES = {
    "memory": "\nakili: ended, the command and its children held more than {0.max_memory_mb} MB of memory\n",
    "disk": "\nakili: ended, the command and its children put more than {0.max_disk_mb} MB on disk\n",
    "cpu": "\nakili: ended, the command and its children used more CPU than sandbox.max_cpu_cores allows\n",
    "lost": "\nakili: ended, the first process inside was killed\n",
}


def _directory(path: str) -> str:
    resolved = os.path.realpath(path)
    if not os.path.isdir(resolved):  # noqa: PTH112 - is_dir raises where this says no
        raise SandboxError(f"the working directory {path} does not exist")
    return resolved


def _text(fields: Mapping[str, Sequence[bytes]], name: str) -> str:
    values = fields.get(name) or [b""]
    return values[0].decode(errors="replace")
