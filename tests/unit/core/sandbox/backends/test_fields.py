from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.fields import encoded, fields_of, limits_of
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.grants import grants_for
from akili_cli.core.sandbox.probe import Probe
from akili_cli.core.sandbox.repositories import Repositories
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError

SETTINGS = SandboxSettings(max_memory_mb=100, max_cpu_cores=2)


def fields(
    scratch: Path, effects: Effects, *, probe: Probe, env: Mapping[str, str] | None = None
) -> Mapping[str, Sequence[bytes]]:
    grants = grants_for(effects, (), scratch=str(scratch), cwd=str(scratch), mounts=probe.works("mount_namespace"))
    request = ExecRequest(("true",), 2.5, env=env or {})
    guarded = Repositories(pinned=("/p",), frozen=("/f",))
    return fields_of(SETTINGS, request, grants, guarded, probe, cwd=str(scratch), scratch=scratch, timeout_s=2.5)


def test_only_steps_that_work_and_apply_are_asked_for(tmp_path: Path) -> None:
    root = set(fields(tmp_path, Effects(), probe=Probe(root=True))["layers"])
    assert not root & {b"owners", b"proxy", b"read_search"}
    assert {b"nobody", b"mount_namespace", b"proc", b"process_count", b"landlock", b"seccomp"} <= root
    failed = Probe(root=True, failed={"mount_namespace": "no", "seccomp": "no"})
    found = fields(tmp_path, Effects(), probe=failed)
    assert not set(found["layers"]) & {b"mount_namespace", b"proc", b"seccomp"}
    assert found["pinned"] == found["frozen"] == []


def test_a_read_of_roots_keeps_one_capability_and_hosts_bring_the_proxy(tmp_path: Path) -> None:
    effects = Effects(reads=("/root/x",), hosts=("example.org:443",))
    found = fields(tmp_path, effects, probe=Probe(root=True), env={"http_proxy": "http://elsewhere"})
    assert {b"read_search", b"proxy"} <= set(found["layers"])
    assert b"process_count" not in found["layers"]
    assert b"http_proxy=http://127.0.0.1:3128" in found["env"]
    assert found["timeout_ms"] == [b"2500"]


def test_limits_are_the_settings() -> None:
    limits = limits_of(SETTINGS)
    named = dict(zip(limits["limit_names"], limits["limit_values"], strict=True))
    assert (named[b"RLIMIT_CPU"], named[b"RLIMIT_DATA"]) == (b"120", b"%d" % (100 << 20))
    assert limits["memory_bytes"] == [b"%d" % (100 << 20)]


def test_what_no_program_can_be_given_is_refused() -> None:
    assert encoded(["\udcff"]) == [b"\xff"]
    with pytest.raises(SandboxError, match="holds characters"):
        encoded(["\ud800"])
