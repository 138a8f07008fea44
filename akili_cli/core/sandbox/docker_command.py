"""The command line of one ephemeral container: every option states a limit, and nothing follows but the program.

The program runs under ``timeout``, which the image must have: when akili is killed, nobody else ends the container.
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.docker_mounts import FILES, HOME, Mount
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.errors import SandboxError

LABEL = "akili.sandbox"
OWNER_LABEL = "akili.owner"
NAME = re.compile(r"akili-sbx-[0-9a-f]{16}")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_USER = "65534:65534"
_MIB = 1 << 20
_OPEN_FILES = 1024
_CPU_S_PER_CORE = 60
_LATER_S = 2  # akili itself comes first, and says so
_TMPFS = "rw,nosuid,nodev,size=64m"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACE_FILES = (
    'cp -R "$1"/. "$HOME"/ || { echo "akili: no room for the files of this call" >&2; exit 125; }; shift; exec "$@"'
)


@dataclass(frozen=True, slots=True)
class Container:
    """One container to be: its name, whose it is, what it is shown, and where akili put the call's files."""

    name: str
    owner: Mapping[str, str]
    mounts: tuple[Mount, ...]
    files: str
    bridged: bool


def new_name() -> str:
    """Give a name nobody else has."""
    return f"akili-sbx-{secrets.token_hex(8)}"


def run_command(
    settings: SandboxSettings, container: Container, request: ExecRequest, limit_s: float
) -> tuple[str, ...]:
    """Give the arguments after ``docker``; raises ``SandboxError`` for a variable that cannot be passed.

    ``limit_s`` is how long akili will let it run; shortly after that the container ends by itself.
    """
    return (
        *("run", "--rm", "--interactive", f"--name={container.name}"),
        *(f"--label={key}={value}" for key, value in container.owner.items()),
        *("--init", "--pull=never", "--log-driver=none", "--sig-proxy=false", "--no-healthcheck", "--entrypoint="),
        *("--cap-drop=ALL", "--security-opt=no-new-privileges", f"--user={_USER}", "--read-only", "--ipc=private"),
        f"--network={'bridge' if container.bridged else 'none'}",
        *_limits(settings),
        *_places(container),
        f"--workdir={request.cwd or HOME}",
        *_environment(request),
        *("--", settings.docker.image or "", "timeout", "-s", "KILL", str(math.ceil(limit_s) + _LATER_S)),
        *(("sh", "-c", _PLACE_FILES, "sh", FILES) if request.files else ()),
        *request.argv,
    )


def _limits(settings: SandboxSettings) -> Iterator[str]:
    memory = f"{settings.max_memory_mb}m"
    yield f"--pids-limit={min(settings.docker.pids_limit, settings.max_processes)}"
    yield f"--memory={memory}"
    yield f"--memory-swap={memory}"
    yield f"--cpus={settings.docker.cpu_cores:g}"
    yield f"--ulimit=cpu={(settings.max_cpu_cores or 1) * _CPU_S_PER_CORE}"
    yield f"--ulimit=fsize={settings.max_file_mb * _MIB}"
    yield f"--ulimit=nofile={_OPEN_FILES}"
    yield "--ulimit=core=0"


def _places(container: Container) -> Iterator[str]:
    if not any(mount.path == "/tmp" for mount in container.mounts):
        yield f"--tmpfs=/tmp:{_TMPFS},noexec"
    yield f"--tmpfs={HOME}:{_TMPFS},exec,mode=0700,uid=65534,gid=65534"
    yield _mount("type=bind", f"src={container.files}", f"dst={FILES}", "readonly")
    for mount in container.mounts:
        if mount.hidden and mount.directory:
            yield _mount("type=tmpfs", f"dst={mount.path}", "tmpfs-size=4096", "tmpfs-mode=0000")
        elif mount.hidden:
            yield _mount("type=bind", "src=/dev/null", f"dst={mount.path}", "readonly")
        else:
            access = () if mount.writable else ("readonly",)
            yield _mount("type=bind", f"src={mount.path}", f"dst={mount.path}", *access)


def _mount(*fields: str) -> str:
    """Write one ``--mount``: the engine reads it as a line of CSV."""
    quoted = ('"' + field.replace('"', '""') + '"' if {",", '"'} & set(field) else field for field in fields)
    return f"--mount={','.join(quoted)}"


def _environment(request: ExecRequest) -> Iterator[str]:
    clean = {"PATH": PATH, "HOME": HOME, "TMPDIR": "/tmp", "LANG": "C.UTF-8", "TERM": "dumb", **request.env}
    for name, value in clean.items():
        if not _VARIABLE.fullmatch(name):
            raise SandboxError(f"{name!r} is not the name of an environment variable")
        yield f"--env={name}={value}"
