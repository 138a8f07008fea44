from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from akili_cli.core.sandbox import delegation
from akili_cli.core.sandbox.delegation import NotDelegatedError, Room, make_room
from akili_cli.core.sandbox.settings import SandboxSettings
from tests.fakes import cgroups

LIVE = pytest.mark.skipif(
    cgroups.mounted() is None or os.geteuid() != 0, reason="needs root and a cgroup v2 that is mounted and writable"
)


@pytest.fixture
def _marked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the pretended group for one that systemd has marked: a plain directory may not carry its attribute."""
    monkeypatch.setattr(delegation, "_is_marked", lambda _: True)
    monkeypatch.setattr(delegation, "_family", lambda: {os.getpid()})
    yield
    while delegation._held:
        os.close(delegation._held.pop())


def files(group: Path) -> dict[str, str]:
    return {str(path.relative_to(group)): path.read_text() for path in group.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("_marked")
def test_akili_moves_down_then_hands_the_controllers_on(tmp_path: Path) -> None:
    proc = cgroups.pretend(tmp_path / "with space", procs=f"{os.getpid()}\n")
    job = tmp_path / "with space/cgroup/job"
    room = make_room(proc)
    assert room.path.parent == job
    assert room.controllers == ("memory", "pids", "cpu")
    written = files(job)
    assert written[f"{room.path.name}/operator/cgroup.procs"] == str(os.getpid())
    assert written["cgroup.subtree_control"] == "+memory +pids +cpu"
    assert written[f"{room.path.name}/cgroup.subtree_control"] == "+memory +pids +cpu"


@pytest.mark.usefixtures("_marked")
def test_cpu_is_welcome_but_not_needed(tmp_path: Path) -> None:
    assert make_room(cgroups.pretend(tmp_path, controllers="pids memory")).controllers == ("memory", "pids")


def test_who_is_in_such_a_room_already_uses_it(tmp_path: Path) -> None:
    proc = cgroups.pretend(tmp_path, name="/job/akili-12ab/operator")
    room = tmp_path / "cgroup/job/akili-12ab"
    (room / "cgroup.controllers").write_text("memory pids")
    assert make_room(proc) == Room(room, ("memory", "pids"))
    assert files(room).keys() == {
        "cgroup.controllers",
        *(f"operator/cgroup.{name}" for name in ("controllers", "procs", "subtree_control", "kill", "type")),
    }


def test_limits_are_written_for_the_controllers_there_are() -> None:
    settings = SandboxSettings(max_memory_mb=100, max_processes=32, max_cpu_cores=2)
    assert Room(Path("/x"), ("memory", "pids", "cpu")).limits(settings) == {
        "memory.max": str((100 << 20) + (16 << 20)),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "35",
        "cpu.max": "200000 100000",
    }
    assert "cpu.max" not in Room(Path("/x"), ("memory", "pids")).limits(settings)
    assert "cpu.max" not in Room(Path("/x"), ("memory", "pids", "cpu")).limits(SandboxSettings())


def without_kill(top: Path) -> Path:
    proc = cgroups.pretend(top)
    (top / "cgroup/job/cgroup.kill").unlink()
    return proc


def replaced(top: Path, file: str, old: str, new: str) -> Path:
    proc = cgroups.pretend(top)
    path = proc / "self" / file
    path.write_text(path.read_text().replace(old, new))
    return proc


@pytest.mark.usefixtures("_marked")
@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda top: top, "does not say which control group"),
        (lambda top: replaced(top, "cgroup", "0::", "1:pids:"), "no cgroup v2"),
        (lambda top: replaced(top, "mountinfo", "cgroup2", "cgroup"), "not mounted where akili can see"),
        (lambda top: replaced(top, "cgroup", "0::/", "0::/../../"), "not mounted where akili can see"),
        (lambda top: replaced(top, "cgroup", "0::/", "0::/no/such/"), "cannot be read"),
        (lambda top: cgroups.pretend(top, controllers="cpu io pids"), "no memory controller"),
        (lambda top: cgroups.pretend(top, controllers=""), "no memory and no pids controller"),
        (without_kill, "cannot be ended as a whole"),
        (lambda top: cgroups.pretend(top, procs=f"{os.getpid()}\n1\n"), r"holds other processes \(as 1\)"),
    ],
    ids=[
        *("no proc", "no v2", "no mount", "outside the namespace", "not there", "no memory", "nothing", "old kernel"),
        "others in it",
    ],
)
def test_what_cannot_be_used_is_left_as_it_is_and_said(tmp_path: Path, made: object, why: str) -> None:
    proc = made(tmp_path)  # type: ignore[operator]
    before = files(tmp_path)
    with pytest.raises(NotDelegatedError, match=why):
        make_room(proc)
    assert files(tmp_path) == before


@pytest.mark.usefixtures("_marked")
def test_a_kernel_that_refuses_gets_everything_back(tmp_path: Path) -> None:
    proc = cgroups.pretend(tmp_path)
    job = tmp_path / "cgroup/job"
    (job / "cgroup.subtree_control").unlink()
    (job / "cgroup.subtree_control").symlink_to("/dev/full")
    with pytest.raises(NotDelegatedError, match="cannot be used: No space left"):
        make_room(proc)
    assert (job / "cgroup.procs").read_text() == str(os.getpid())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_top_of_a_containers_own_namespace_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegation, "_family", lambda: {os.getpid()})
    assert make_room(cgroups.pretend(tmp_path, name="/")).path.parent == tmp_path / "cgroup"
    (tmp_path / "machine").mkdir()
    proc = cgroups.pretend(tmp_path / "machine", name="/")
    (tmp_path / "machine/cgroup/cgroup.type").unlink()  # as at the machine's own top
    with pytest.raises(NotDelegatedError, match="belongs to who manages this machine"):
        make_room(proc)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_roots_right_to_write_is_no_delegation(tmp_path: Path) -> None:
    with pytest.raises(NotDelegatedError, match="belongs to who manages this machine"):
        make_room(cgroups.pretend(tmp_path))


AS_USER = """
    import os, sys
    from pathlib import Path
    from akili_cli.core.sandbox.delegation import NotDelegatedError, make_room
    os.setgroups([]); os.setresgid(1000, 1000, 1000); os.setresuid(1000, 1000, 1000)
    try:
        print(make_room(Path(sys.argv[1])).controllers)
    except NotDelegatedError as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another")
def test_for_an_ordinary_user_ownership_decides(tmp_path: Path) -> None:
    for parent in (tmp_path, *tmp_path.parents):
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    proc = cgroups.pretend(tmp_path)

    def said() -> str:
        argv = [sys.executable, "-c", textwrap.dedent(AS_USER), str(proc)]
        root = Path(__file__).parents[4]
        return subprocess.run(argv, cwd=root, capture_output=True, text=True, check=True, timeout=20).stdout

    assert "is not delegated to uid 1000" in said()
    for path in (tmp_path / "cgroup/job", *(tmp_path / "cgroup/job").iterdir()):
        os.chown(path, 1000, 1000)
    assert said() == "('memory', 'pids', 'cpu')\n"


IN_ONE = """
    import os, subprocess, sys
    from pathlib import Path
    from akili_cli.core.sandbox.delegation import NotDelegatedError, make_room
    group = Path(sys.argv[1])
    (group / "cgroup.procs").write_text(str(os.getpid()))
    def mine():
        return Path("/proc/self/cgroup").read_text().split("0::")[1].strip()
    others = subprocess.Popen(["sleep", "30"], preexec_fn=lambda: (group / "cgroup.procs").write_text("0"))
    room = make_room(needed=({controller!r},), welcome=())
    assert mine() == f"/{{group.name}}/{{room.path.name}}/operator", mine()
    assert make_room(needed=({controller!r},), welcome=()) == room
    assert (group / "cgroup.subtree_control").read_text().split() == [{controller!r}]
    assert (room.path / "cgroup.subtree_control").read_text().split() == [{controller!r}]
    assert not (group / "cgroup.procs").read_text()
    assert Path(f"/proc/{{others.pid}}/cgroup").read_text().split("0::")[1].strip() == mine()
    others.kill()
    print(room.path.name)
"""


@LIVE
def test_the_kernel_agrees_and_what_a_dead_akili_left_is_swept() -> None:
    def run(group: Path, controller: str) -> str:
        code = textwrap.dedent(IN_ONE).format(controller=controller)
        argv = [sys.executable, "-c", code, str(group)]
        done = subprocess.run(
            argv, cwd=Path(__file__).parents[4], capture_output=True, text=True, check=False, timeout=20
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    with cgroups.group_of_my_own() as group:
        controllers = (group / "cgroup.controllers").read_text().split()
        if not controllers:
            pytest.skip("the top of this cgroup v2 hands no controller on")
        name = run(group, controllers[0])
        assert [path.name for path in group.iterdir() if path.is_dir()] == [name]
        sleeper = subprocess.Popen(["sleep", "60"])
        (group / name / "left").mkdir()
        (group / name / "left/cgroup.procs").write_text(str(sleeper.pid))
        for held in (group / name, group):
            (held / "cgroup.subtree_control").write_text(f"-{controllers[0]}")
        second = run(group, controllers[0])
        assert sleeper.wait() == -9, "what it ran is ended"
        assert [path.name for path in group.iterdir() if path.is_dir()] == [second]
