"""What the first process inside is told about one command: everything it gets, in the fields of one message."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from akili_cli.core.sandbox import proxy
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.grants import Grants
from akili_cli.core.sandbox.probe import Probe
from akili_cli.core.sandbox.repositories import Repositories
from akili_cli.core.sandbox.scratch import first_closed
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.errors import SandboxError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MIB = 1 << 20
_ADDRESS_SPACE_BYTES = 4 << 30  # below that, runtimes that reserve much and use little do not start
_OPEN_FILES = 1024
_SUPERVISORS = 2
_CPU_S_PER_CORE = 60


def fields_of(
    settings: SandboxSettings,
    request: ExecRequest,
    grants: Grants,
    guarded: Repositories,
    probe: Probe,
    *,
    cwd: str,
    scratch: Path,
    timeout_s: float,
) -> Mapping[str, Sequence[bytes]]:
    """Write what one command gets: the steps that work and apply, its grants, its limits."""
    closed = first_closed(scratch) if probe.root else None
    mounts = probe.works("mount_namespace")
    needs_search = grants.beyond_base or (closed is not None and not mounts)
    # without the filter a handle would open what Landlock never sees by name
    read_search = needs_search and all(map(probe.works, ("landlock", "seccomp", "read_search")))
    covered = list(grants.covered)
    if closed is not None and not read_search:
        covered.append(closed)
    skipped = {
        "owners": True,  # only to be tried
        "read_search": not read_search,
        "process_count": read_search,  # the capability counts only in the first user namespace
        "proc": grants.host_proc or not mounts,
        "net_namespace": grants.network.shared,
        "proxy": not grants.network.hosts,
    }
    steps = [
        name
        for name in (*probe.wanted(), "proxy")
        if (name == "proxy" or probe.works(name)) and not skipped.get(name, False)
    ]
    environment = {
        "PATH": PATH,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        **request.env,
        **(proxy.ENVIRONMENT if grants.network.hosts else {}),
    }
    return {
        "argv": encoded(request.argv),
        "env": encoded(f"{name}={value}" for name, value in environment.items()),
        "cwd": encoded([cwd]),
        "layers": encoded(steps),
        "writable": encoded(grants.writable),
        "covered": encoded(covered),
        "private": encoded(grants.private),
        "mapped": encoded(grants.foreign.mapped),
        "staged": encoded(stage.path for stage in grants.foreign.stages),
        "copied": encoded(f"{stage.path}/{name}" for stage in grants.foreign.stages for name in stage.copied),
        "shown": encoded(grants.shown),
        "pinned": encoded(guarded.pinned if mounts else ()),
        "frozen": encoded(guarded.frozen if mounts else ()),
        **({"base": []} if grants.base else {}),
        "rule_paths": encoded(rule.path for rule in grants.rules),
        "rule_rights": numbers(rule.rights for rule in grants.rules),
        "rule_flags": encoded("plain" if rule.plain else "" for rule in grants.rules),
        "families": numbers(grants.network.families),
        "ports": numbers(grants.network.ports),
        "timeout_ms": numbers([math.ceil(timeout_s * 1000)]),
        **limits_of(settings),
    }


def limits_of(settings: SandboxSettings) -> Mapping[str, Sequence[bytes]]:
    """Write the limits of every command."""
    memory = settings.max_memory_mb * _MIB
    limits = {
        "RLIMIT_CPU": (settings.max_cpu_cores or 1) * _CPU_S_PER_CORE,
        "RLIMIT_DATA": memory,
        "RLIMIT_AS": max(_ADDRESS_SPACE_BYTES, memory),
        "RLIMIT_FSIZE": settings.max_file_mb * _MIB,
        "RLIMIT_NOFILE": _OPEN_FILES,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": settings.max_processes + _SUPERVISORS,
    }
    return {
        "limit_names": encoded(limits),
        "limit_values": numbers(limits.values()),
        "memory_bytes": numbers([memory]),
        "disk_bytes": numbers([settings.max_disk_mb * _MIB]),
        "cpu_s": numbers([limits["RLIMIT_CPU"]]),
    }


def encoded(texts: Iterable[str]) -> list[bytes]:
    """Write texts as programs get them. Raises ``SandboxError`` for what cannot be written so."""
    try:
        return list(map(os.fsencode, texts))
    except UnicodeEncodeError as error:
        raise SandboxError(f"{error.object!r:.100} holds characters that no program can be given") from error


def numbers(values: Iterable[int]) -> list[bytes]:
    """Write numbers as text."""
    return [b"%d" % value for value in values]
