"""What the Docker engine of this machine offers: asked before anything runs, put into layers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from akili_cli.core.sandbox.backends.docker_client import Answer, DockerClient
from akili_cli.core.sandbox.base import Layer
from akili_cli.core.sandbox.docker_command import LABEL, NAME, OWNER_LABEL
from akili_cli.core.sandbox.probe import LAYERS

_BUILD = "docker build -t {} -f examples/docker/Dockerfile.runtime ."
_FIX = "use an engine with its default seccomp profile and delegated cgroup controllers (`docker info` warns)"
_LIMITS = ("MemoryLimit", "SwapLimit", "CpuCfsQuota", "PidsLimit")
_HELD = {
    "files": "a read-only image; of this machine only the permit's paths",
    "network": "a network of its own without a way out",
    "processes": "a PID namespace, ended with the container",
    "identity": "uid 65534, no capabilities, no way to gain any",
}


@dataclass(frozen=True, slots=True)
class Engine:
    """The outcome of asking. ``problem`` and ``fix`` are set when nothing can run; ``missing`` are single layers."""

    problem: str = ""
    fix: str = ""
    missing: Mapping[str, str] | None = None

    def layers(self) -> tuple[Layer, ...]:
        """Report each layer, active or not."""
        if self.problem:
            return tuple(Layer(name, active=False, detail=self.problem, fix=self.fix) for name in LAYERS)
        missing = self.missing or {}
        details = {
            **_HELD,
            "syscalls": "the engine's own seccomp filter",
            "limits": "memory, CPU, processes, file size, descriptors, by cgroup and rlimit",
            "cgroup": "the container's own control group",
        }
        return tuple(
            Layer(name, name not in missing, missing.get(name, details[name]), _FIX if name in missing else "")
            for name in LAYERS
        )


def look(client: DockerClient, image: str) -> Engine:
    """Ask whether the engine is there, is this machine's, has the image, and which limits it enforces."""
    if not client.installed:
        return Engine("there is no docker command on the PATH", "install Docker, or use `sandbox.type: process`")
    if client.host and not client.host.startswith("unix:///"):
        return Engine(
            f"DOCKER_HOST is {client.host!r}: an engine elsewhere would show another machine's files",
            "unset DOCKER_HOST, or point it to this machine's engine (unix:///...)",
        )
    answer = client.ask("version", "--format", "{{json .Server}}")
    server = _object(answer)
    if not server:
        said = answer.reason if answer.code != 0 else f"it answered {answer.stdout[:60]!r}"
        return Engine(f"the docker daemon does not answer: {said}", "start the Docker daemon, and let akili use it")
    if server.get("Os") != "linux":
        return Engine(f"the docker engine runs {server.get('Os')} containers, not linux", "switch it to linux")
    answer = client.ask("image", "inspect", "--format", "{{json .Id}}", "--", image)
    if answer.code != 0 or not answer.stdout.strip().startswith('"sha256:'):
        return Engine(f"the image {image} cannot be used: {answer.reason}", _BUILD.format(image))
    return Engine(missing=_missing(client.ask("info", "--format", "{{json .}}")))


def _missing(answer: Answer) -> Mapping[str, str]:
    info = _object(answer)
    options = info.get("SecurityOptions")
    seccomp = isinstance(options, list) and any(
        isinstance(option, str) and option.startswith("name=seccomp") and "unconfined" not in option
        for option in options
    )
    off = [name for name in _LIMITS if info.get(name) is not True]
    missing = {}
    if not seccomp:
        missing["syscalls"] = "the engine names no seccomp filter"
    if off:
        missing |= dict.fromkeys(("limits", "cgroup"), f"the engine does not enforce {', '.join(off)}")
    return missing


def _object(answer: Answer) -> Mapping[str, object]:
    """Read an answer as a JSON object; empty when it is anything else."""
    try:
        value = json.loads(answer.stdout) if answer.code == 0 else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def owner_labels() -> Mapping[str, str]:
    """Name this process so that no other can be taken for it: pid, PID namespace, when the machine and it started."""
    pid = os.getpid()
    return {LABEL: str(pid), OWNER_LABEL: f"{_namespace()}-{_boot()}-{_started(pid)}"}


def sweep(client: DockerClient) -> tuple[str, ...]:
    """Remove containers whose akili has died; give their names. What cannot be asked or removed stays."""
    form = f'{{{{.Names}}}} {{{{.Label "{LABEL}"}}}} {{{{.Label "{OWNER_LABEL}"}}}}'
    answer = client.ask("ps", "--all", "--no-trunc", "--filter", f"label={LABEL}", "--format", form)
    dead = []
    for line in answer.stdout.splitlines() if answer.code == 0 else ():
        name, _, rest = line.partition(" ")
        pid, _, owner = rest.partition(" ")
        namespace, _, life = owner.partition("-")
        ours = NAME.fullmatch(name) and pid.isascii() and pid.isdigit() and namespace == _namespace()
        if ours and life != f"{_boot()}-{_started(int(pid))}" and client.ask("rm", "--force", name).code == 0:
            dead.append(name)
    return tuple(dead)


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "none"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", "")
    except OSError:
        return "none"


def _started(pid: int) -> str:
    """Give when a process started; empty when it is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return _alive(pid)
    fields = status.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


def _alive(pid: int) -> str:
    """Where there is no /proc all that can be told is whether a process has that number."""
    if Path("/proc/self").exists():
        return ""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return ""
    except PermissionError:
        pass
    return "alive"
