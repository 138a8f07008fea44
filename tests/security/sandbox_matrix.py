"""Attacks against the process sandbox, by what stops each: run them with ``python tests/security/sandbox_matrix.py``.

Columns: ``none`` is a plain process of the same uid (an attack that fails there says nothing), ``full`` the sandbox as
it is, ``-step`` the sandbox without one layer, ``container`` without all that an engine's default profile refuses,
``owner`` the full one as root with a permit for files of root.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest, ExecResult
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from tests.fakes.permits import permit_for
from tests.security.sandbox_attack_list import ATTACKS, MARK, PYTHON, X86_64, Attack, filled

COLUMNS: dict[str, frozenset[str]] = {
    "full": frozenset(),
    "-landlock": frozenset({"landlock"}),
    "-mounts": frozenset({"mount_namespace", "proc"}),
    "-seccomp": frozenset({"seccomp"}),
    "-pids": frozenset({"pid_namespace", "proc"}),
    "-network": frozenset({"net_namespace"}),
    "container": frozenset(
        {
            "user_namespace",
            "mount_namespace",
            "proc",
            "pid_namespace",
            "ipc_namespace",
            "net_namespace",
            "process_count",
        }
    ),
}
LAYER_OF = {
    "landlock": ("files",),
    "mount_namespace": ("files",),
    "proc": ("processes",),
    "pid_namespace": ("processes",),
    "seccomp": ("network", "syscalls"),
    "net_namespace": ("network",),
}
OWNER = "owner"  # the full sandbox, with a permit for files of root, which takes other ways; only for root
SETTINGS = SandboxSettings(max_memory_mb=200, max_processes=32, max_file_mb=8, max_disk_mb=40, max_output_bytes=65_536)


@dataclass
class Ground:
    """What is attacked: files open to the attacker's uid, a victim of the same uid, sockets, a descriptor."""

    folder: Path
    uid: int
    victim: int = 0
    port: int = 0
    descriptor: int = -1
    scratch: Path = field(default_factory=Path)
    shared: Path = field(default_factory=Path)
    shm: Path = field(default_factory=Path)

    def names(self) -> dict[str, str]:
        return {
            "o": str(self.folder),
            "shared": str(self.shared),
            "shm": str(self.shm),
            "victim": str(self.victim),
            "port": str(self.port),
            "abstract": f"akili-matrix-{self.port}",
            "descriptor": str(self.descriptor),
        }


def identity(uid: int) -> dict[str, Any]:
    return {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def ground_for(uid: int, place: str = "/var/tmp") -> Iterator[Ground]:
    """Make everything, as root if that is who runs this, and take it away again; ``place`` is open to every uid."""
    top = Path(tempfile.mkdtemp(prefix="akili-matrix-", dir=place))
    top.chmod(0o755)
    ground = Ground(top / "outside", uid, scratch=top / "scratch")
    ground.shared = Path("/tmp", f"{top.name}-shared")
    ground.shm = Path("/dev/shm", f"{top.name}-shm")
    ground.folder.mkdir()
    ground.scratch.mkdir()
    try:
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
            ground.port = tcp.getsockname()[1]
            unix.bind(str(ground.folder / "socket"))
            unix.listen()
            with socket.socket(socket.AF_UNIX) as abstract, plant(ground) as secret:
                abstract.bind(f"\0akili-matrix-{ground.port}")
                abstract.listen()
                ground.descriptor = secret
                victim = subprocess.Popen(
                    ["canary", "120"],
                    executable="/bin/sleep",
                    cwd=ground.folder,
                    env={"TOKEN": "canary", "PATH": "/usr/bin:/bin"},
                    **identity(uid),
                )
                ground.victim = victim.pid
                try:
                    yield ground
                finally:
                    victim.kill()
                    victim.wait()
    finally:
        shutil.rmtree(top, ignore_errors=True)
        for path in (ground.shared, ground.shm):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def plant(ground: Ground) -> Iterator[int]:
    outside = ground.folder
    os.environ["AKILI_TEST_TOKEN"] = "canary"
    (outside.parent / "roots/all").mkdir(parents=True)
    (outside.parent / "roots/file").write_text("canary")
    (outside / "given").mkdir()
    (outside / "given").chmod(0o777)
    os.mkfifo(outside / "fifo")
    (outside / "fifo").chmod(0o666)
    reader = os.open(outside / "fifo", os.O_RDWR)
    ground.shm.write_text("canary")
    ground.shm.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(ground.shm, ground.uid, ground.uid)
    replenish(ground)
    if os.geteuid() == 0:
        os.chown(ground.shared, ground.uid, ground.uid)
    shutil.copy("/bin/true", outside / "program")
    shutil.copy("/usr/bin/id", outside / "suid")
    (outside / "suid").chmod(0o4755)
    subprocess.run(["git", "init", "-q", str(outside / "repo")], check=True)
    subprocess.run(["chmod", "-R", "a+rwX", str(outside / "repo")], check=True)
    (outside / "socket").chmod(0o777)
    outside.chmod(0o777)
    if os.geteuid() == 0:
        os.chown(ground.scratch, 0 if ground.uid == 65534 else ground.uid, -1)
        os.chown(outside / "own", ground.uid, ground.uid)
    descriptor = os.open(outside / "secret", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        os.close(reader)


def replenish(ground: Ground) -> None:
    if not ground.shared.exists() or is_changed(ground):
        ground.shared.write_text("canary")
    for name in ("secret", "own", *(f"w{number}" for number in range(1, 6))):
        path = ground.folder / name
        if not path.exists():
            path.write_text("canary")
            path.chmod(0o666)
    for name in ("new1", "new2", "new3", "w6", "repo/o", "given/id", "given/gid"):
        path = ground.folder / name
        if path.is_dir() and name != "repo/o":
            path.rmdir()
        elif name == "repo/o" and path.exists():
            path.rename(ground.folder / "repo" / ".git")
        else:
            path.unlink(missing_ok=True)


def is_alive(mark: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes() and path.parent.name != str(os.getpid()):
                return True
    return False


def plainly(attack: Attack, ground: Ground) -> bool:
    """Try it in a plain process of the same uid."""
    if attack.slow:
        return True
    with tempfile.TemporaryDirectory(dir=ground.folder) as work:
        Path(work).chmod(0o777)
        done = subprocess.run(
            attack.argv(ground.names()),
            cwd=work,
            capture_output=True,
            timeout=20,
            check=False,
            pass_fds=[ground.descriptor],
            **identity(ground.uid),
        )
    reached = b"REACHED" in done.stdout or (attack.oracle == "shared" and is_changed(ground))
    replenish(ground)
    return reached


async def confined(attack: Attack, ground: Ground, sandbox: ProcessSandbox, more: tuple[str, ...] = ()) -> bool:
    """Try it in the sandbox."""
    reads, writes = ([filled(path, ground.names()) for path in paths] for paths in (attack.reads, attack.writes))
    permit = permit_for(Effects(reads=tuple(reads), writes=(*writes, *more)))
    result = await sandbox.run(ExecRequest(attack.argv(ground.names()), attack.timeout_s), permit)
    reached = judged(attack, result, ground)
    replenish(ground)
    return reached


def is_changed(ground: Ground) -> bool:
    return ground.shared.read_text() != "canary"


def judged(attack: Attack, result: ExecResult, ground: Ground) -> bool:
    match attack.oracle:
        case "shared":
            return is_changed(ground)
        case "daemon":
            return is_alive(MARK)
        case "flood":
            return len(result.stdout) > SETTINGS.max_output_bytes
        case _:
            return b"REACHED" in result.stdout


Matrix = dict[str, dict[str, bool]]
Said = dict[str, dict[str, str]]


async def measure(ground: Ground, columns: dict[str, frozenset[str]]) -> tuple[Matrix, Said]:
    """Run every attack in every column; also give what each sandbox says of its layers."""
    attacks = [attack for attack in ATTACKS if X86_64 or "call(" not in attack.code]
    matrix: Matrix = {attack.name: {"none": plainly(attack, ground)} for attack in attacks}
    said: Said = {}
    for column, without in columns.items():
        sandbox = ProcessSandbox(SETTINGS, ground.scratch, SystemClock(), without=without)
        said[column] = {layer.name: f"{layer.active} {layer.detail} {layer.fix}" for layer in sandbox.layers()}
        roots = tuple(f"{ground.folder.parent}/roots/{name}" for name in ("all", "file", "new"))
        for attack in attacks:
            if not without or not attack.slow:
                matrix[attack.name][column] = await confined(attack, ground, sandbox, roots if column == OWNER else ())
        await sandbox.close()
    return matrix, said


def expected(attack: Attack, without: frozenset[str]) -> bool:
    """Tell whether an attack is open without some steps."""
    return bool(attack.stopped_by) and attack.stopped_by <= without


def table(matrix: Matrix) -> str:
    columns = ["none", *dict.fromkeys(column for row in matrix.values() for column in row if column != "none")]
    lines = [f"{'attack':<30}" + "".join(f"{column:>11}" for column in columns)]
    for name, row in matrix.items():
        cells = ("?" if column not in row else "X" if row[column] else "." for column in columns)
        lines.append(f"{name:<30}" + "".join(f"{cell:>11}" for cell in cells))
    counts = (sum(row.get(column, False) for row in matrix.values()) for column in columns)
    return "\n".join([*lines, f"{len(matrix):<30}" + "".join(f"{count:>11}" for count in counts)])


def run_as(uid: int) -> tuple[Matrix, Said]:
    """Measure as root (the commands then are 65534), or as another uid in a process of its own."""
    if os.geteuid() == 0 and uid != 0:
        with tempfile.TemporaryDirectory(prefix="akili-matrix-", dir="/var/tmp") as place:  # who gave root up cannot
            Path(place).chmod(0o755)
            argv = [sys.executable, str(Path(__file__).resolve()), "--json", "--uid", str(uid), "--place", place]
            done = subprocess.run(argv, capture_output=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
        matrix, said = json.loads(done.stdout)
        return matrix, said
    with ground_for(65534 if uid == 0 else uid) as ground:
        columns = {**COLUMNS, OWNER: frozenset[str]()} if uid == 0 else COLUMNS
        return asyncio.run(measure(ground, columns))


def measure_as_user(uid: int, place: str) -> tuple[Matrix, Said]:
    """Make the ground as root, then give root up for good and measure."""
    with ground_for(uid, place) as ground:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        sys.executable = PYTHON  # the interpreter of the tests may lie in root's home
        return asyncio.run(measure(ground, COLUMNS))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uid", type=int, default=os.geteuid())
    parser.add_argument("--place", default="/var/tmp")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.json:
        sys.stdout.write(json.dumps(measure_as_user(given.uid, given.place)))
        return
    uids = [0, 1000] if os.geteuid() == 0 else [given.uid]
    for uid in uids:
        sys.stdout.write(f"\nuid {uid}\n{table(run_as(uid)[0])}\n")


if __name__ == "__main__":
    main()
