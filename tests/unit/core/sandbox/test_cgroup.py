from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from akili_cli.core.sandbox.cgroup import Group, remove
from tests.fakes import cgroups

LIVE = pytest.mark.skipif(
    cgroups.mounted() is None or os.geteuid() != 0, reason="needs root and a cgroup v2 that is mounted and writable"
)
LIMITS = {"memory.max": "100", "memory.swap.max": "0", "pids.max": "9", "cpu.max": "200000 100000"}


def test_limits_are_set_before_the_way_in_is_opened(tmp_path: Path) -> None:
    group = Group(f"{tmp_path}/1", LIMITS)
    files = {path.name: path.read_text() for path in (tmp_path / "1").iterdir()}
    assert files == {**LIMITS, "cgroup.procs": ""}
    group.enter()
    group.kill()
    assert (tmp_path / "1/cgroup.procs").read_text() == "0"
    assert (tmp_path / "1/cgroup.kill").read_text() == "1"
    group.close()


@pytest.mark.parametrize(
    ("text", "killed"),
    [
        ("low 0\noom 1\noom_kill 2\noom_group_kill 0\n", True),
        ("oom 1\noom_kill 0\noom_group_kill 0\n", False),
        (None, False),
    ],
)
def test_running_out_of_memory_is_read_from_the_events(tmp_path: Path, text: str | None, killed: bool) -> None:
    group = Group(f"{tmp_path}/1", {})
    if text is not None:
        (tmp_path / "1/memory.events").write_text(text)
    assert group.is_out_of_memory() is killed
    group.close()


def test_who_is_left_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("akili_cli.core.sandbox.cgroup._ENDING_S", 0.01)
    group = Group(f"{tmp_path}/1", {})
    assert group.left() == 0
    (tmp_path / "1/cgroup.events").write_text("populated 1\nfrozen 0\n")
    (tmp_path / "1/cgroup.procs").write_text("12\n34\n")
    assert group.left() == 2
    assert group.remove() is False, "a group with something in it stays"


def test_a_limit_that_cannot_be_set_leaves_no_group(tmp_path: Path) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="directory"):
        Group(f"{tmp_path}/1", {"no/such/file": "1"})
    assert not (tmp_path / "1").exists()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert remove(f"{tmp_path}/1")


@LIVE
def test_a_whole_tree_ends_at_once_however_it_forked() -> None:
    with cgroups.group_of_my_own() as top:
        group = Group(str(top / "1"), {})
        code = f"""
import os, sys, time
os.write({group.door}, b"0")
print(open("/proc/self/cgroup").read().split("0::")[1].strip(), flush=True)
for _ in range(30):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        time.sleep(60)
print(flush=True)
time.sleep(60)
"""
        process = subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE, text=True, pass_fds=[group.door])
        assert process.stdout is not None
        assert process.stdout.readline().strip().endswith(f"{top.name}/1")
        assert process.stdout.readline() == "\n"
        assert len((top / "1/cgroup.procs").read_text().split()) >= 30
        assert not group.remove()
        group.kill()
        assert process.wait() == -9
        process.stdout.close()
        assert group.left() == 0
        assert group.remove()
        assert not (top / "1").exists()


@LIVE
def test_the_kernel_refuses_a_limit_of_a_controller_that_is_not_there() -> None:
    with cgroups.group_of_my_own() as top:
        with pytest.raises(PermissionError):
            Group(str(top / "1"), {"no-such.max": "1"})
        assert not (top / "1").exists()
