from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.probe import LAYERS
from akili_cli.core.sandbox.settings import LayerName, SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.permits import permit_for

STEP = {
    "files": "landlock",
    "network": "seccomp",
    "processes": "pid_namespace",
    "syscalls": "seccomp",
    "limits": "limits",
}


def sandbox_at(path: Path, *, require: tuple[LayerName, ...] = (), off: str = "") -> ProcessSandbox:
    sandbox = ProcessSandbox(SandboxSettings(require=require), path, SystemClock())
    if off:
        probe = sandbox._probed()
        sandbox._probe = type(probe)(probe.root, {**probe.failed, off: "not here"})
    return sandbox


def test_every_layer_is_active_on_this_machine(tmp_path: Path) -> None:
    assert [layer.name for layer in sandbox_at(tmp_path).layers() if not layer.active] == []


async def test_a_required_layer_that_holds_lets_the_command_run(tmp_path: Path) -> None:
    result = await sandbox_at(tmp_path, require=LAYERS).run(ExecRequest(("true",), 5), permit_for(Effects()))
    assert result.layers == LAYERS


@pytest.mark.parametrize("name", STEP)
async def test_a_required_layer_that_is_missing_stops_everything(tmp_path: Path, name: LayerName) -> None:
    sandbox = sandbox_at(tmp_path, require=(name,), off=STEP[name])
    with pytest.raises(SandboxError, match=f"'{name}' is required and missing: .*not here"):
        await sandbox.run(ExecRequest(("true",), 5), permit_for(Effects()))


async def test_root_that_cannot_be_given_up_stops_everything(tmp_path: Path) -> None:
    sandbox = sandbox_at(tmp_path)
    sandbox._owner = 65534
    sandbox._probe = type(sandbox._probed())(True, {"nobody": "not here"})
    with pytest.raises(SandboxError, match="cannot give root up"):
        await sandbox.run(ExecRequest(("true",), 5), permit_for(Effects()))


async def test_permitted_hosts_keep_the_network_layer_and_local_sockets_take_it(tmp_path: Path) -> None:
    request = ExecRequest(("true",), 10)
    sandbox = sandbox_at(tmp_path, require=("network",))
    assert "network" in (await sandbox.run(request, permit_for(Effects(hosts=("example.org:443",))))).layers
    with pytest.raises(SandboxError, match="'network' is required"):
        await sandbox.run(request, permit_for(Effects(hosts=("unix:/run/socket",))))


async def test_hosts_are_refused_where_they_cannot_be_filtered(tmp_path: Path) -> None:
    sandbox = ProcessSandbox(SandboxSettings(), tmp_path, SystemClock(), without=frozenset({"net_namespace"}))
    with pytest.raises(SandboxError, match="hosts cannot be told apart without a network namespace"):
        await sandbox.run(ExecRequest(("true",), 5), permit_for(Effects(hosts=("example.org:443",))))


async def test_the_settings_bound_the_time(tmp_path: Path) -> None:
    sandbox = ProcessSandbox(SandboxSettings(max_execution_seconds=1), tmp_path, SystemClock())
    result = await sandbox.run(ExecRequest(("sleep", "30"), 30), permit_for(Effects()))
    assert result.timed_out
    assert result.duration_s < 4


async def test_reading_the_machines_proc_shows_its_processes(tmp_path: Path) -> None:
    line = "ls /proc | grep -c '^[0-9]'; cat /proc/uptime > /dev/null && echo fine"
    result = await sandbox_at(tmp_path).run(ExecRequest(("sh", "-c", line), 5), permit_for(Effects(reads=("/proc",))))
    count, fine = result.stdout.split()
    assert int(count) > 8
    assert fine == b"fine"
