from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.probe import LAYERS
from akili_cli.core.sandbox.settings import LayerName, SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes import cgroups
from tests.fakes.permits import permit_for

STEP = {
    "files": "landlock",
    "network": "seccomp",
    "processes": "pid_namespace",
    "syscalls": "seccomp",
    "limits": "limits",
    "cgroup": "cgroup",
}


def sandbox_at(path: Path, *, require: tuple[LayerName, ...] = (), off: str = "") -> ProcessSandbox:
    sandbox = ProcessSandbox(SandboxSettings(require=require), path, SystemClock())
    if off:
        probe = sandbox._probed()
        sandbox._probe = type(probe)(probe.root, {**probe.failed, off: "not here"})
    return sandbox


HERE = tuple(name for name in LAYERS if name != "cgroup")  # that one needs a machine that delegates


def test_every_layer_that_needs_nobodys_help_is_active_on_this_machine(tmp_path: Path) -> None:
    assert {layer.name for layer in sandbox_at(tmp_path).layers() if not layer.active} <= {"cgroup"}


async def test_a_required_layer_that_holds_lets_the_command_run(tmp_path: Path) -> None:
    result = await sandbox_at(tmp_path, require=HERE).run(ExecRequest(("true",), 5), permit_for(Effects()))
    assert set(HERE) <= set(result.layers)


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


IN_A_GROUP = """
    import asyncio, functools, os, sys
    from pathlib import Path
    from akili_cli.core.sandbox import delegation
    from akili_cli.core.sandbox.backends.process import ProcessSandbox
    from akili_cli.core.sandbox.base import ExecRequest
    from akili_cli.core.sandbox.settings import SandboxSettings
    from akili_cli.domain.clock import SystemClock
    from akili_cli.domain.effects import Effects
    from tests.fakes.permits import permit_for
    group, scratch, without, then = Path(sys.argv[1]), Path(sys.argv[2]), frozenset(sys.argv[3].split()), sys.argv[4]
    long = f"sleep {scratch.name}"
    (group / "cgroup.procs").write_text(str(os.getpid()))
    offered = tuple((group / "cgroup.controllers").read_text().split())
    delegation.make_room = functools.partial(delegation.make_room, needed=(), welcome=offered)
    settings = SandboxSettings(max_memory_mb=100, max_processes=20, require=("cgroup",))
    box = ProcessSandbox(settings, scratch, SystemClock(), without=without)

    async def sh(line, timeout_s=10):
        return await box.run(ExecRequest(("sh", "-c", line), timeout_s), permit_for(Effects()))

    async def main():
        print((await sh("cat /proc/self/cgroup")).stdout.decode().split("0::")[1].strip(), flush=True)
        if then == "die":
            await sh(f"echo > /tmp/x; setsid {long} & {long}", 60)
        left = await sh(f"for i in 1 2 3; do setsid {long} & done; exit 3")
        late = await sh(f"setsid {long} & setsid setsid {long} & {long}", 0.5)
        print(left.exit_code, late.timed_out, "cgroup" in late.layers, flush=True)
        if "memory" in offered:
            full = await sh("for i in 1 2 3; do python3 -c 'x = bytearray(60 << 20)' & done; wait")
            print(full.exit_code, full.stderr.decode())
        await box.close()

    asyncio.run(main())
    print(sorted(path.name for path in group.glob("akili-*/*") if path.is_dir()))
"""
LIVE = pytest.mark.skipif(
    cgroups.mounted() is None or os.geteuid() != 0, reason="needs root and a cgroup v2 that is mounted and writable"
)


def in_a_group(group: Path, scratch: Path, without: str, then: str = "") -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", textwrap.dedent(IN_A_GROUP), str(group), str(scratch), without, then]
    return subprocess.Popen(argv, cwd=Path(__file__).parents[5], stdout=subprocess.PIPE, text=True)


def controllers(group: Path) -> list[str]:
    return (group / "cgroup.subtree_control").read_text().split()


def sleepers(scratch: Path) -> int:
    """Count those that sleep for as long as this directory is called."""
    return sum(read(path) == f"sleep\0{scratch.name}\0" for path in Path("/proc").glob("[0-9]*/cmdline"))


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / f"77.{os.getpid()}{time.monotonic_ns()}"
    folder.mkdir()
    return folder


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@LIVE
@pytest.mark.parametrize("without", ["", "pid_namespace proc"], ids=["PID namespace", "control group alone"])
def test_every_command_has_a_control_group_that_ends_as_a_whole(scratch: Path, without: str) -> None:
    with cgroups.group_of_my_own() as group:
        out, _ = in_a_group(group, scratch, without).communicate(timeout=40)
        lines = out.splitlines()
        assert re.fullmatch(rf"/{group.name}/akili-[0-9a-f]+/\d+-\d+", lines[0])
        assert lines[1] == "3 True True"
        assert lines[-1] == "['operator']", "no group of a command is left"
        assert sleepers(scratch) == 0
        if len(lines) > 3:
            assert "more than 100 MB of memory" in out


@LIVE
def test_a_killed_akili_leaves_no_process_and_the_next_one_removes_its_groups(scratch: Path) -> None:
    with cgroups.group_of_my_own() as group:
        akili = in_a_group(group, scratch, "pid_namespace proc", "die")
        assert akili.stdout is not None
        akili.stdout.readline()
        while sleepers(scratch) < 2:
            assert akili.poll() is None
        akili.kill()
        akili.wait()
        akili.stdout.close()
        for _ in range(300):
            if not sleepers(scratch):
                break
            time.sleep(0.01)
        assert sleepers(scratch) == 0
        (before,) = (path.name for path in group.glob("akili-*"))
        for held in (group / before, group):  # so that a process may enter it again
            (held / "cgroup.subtree_control").write_text(" ".join(f"-{name}" for name in controllers(held)))
        out, _ = in_a_group(group, scratch, "").communicate(timeout=40)
        assert out.endswith("['operator']\n")
        assert before not in {path.name for path in group.glob("akili-*")}
