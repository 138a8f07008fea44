"""Attacks against the process sandbox, by what stops each: run them with ``python tests/security/sandbox_matrix.py``.

Every attack prints REACHED when it got there, or an oracle outside looks. Columns: ``none`` is a plain process of
the same uid (an attack that fails there says nothing), ``full`` the sandbox as it is, ``-step`` the sandbox without
one layer. An attack is open exactly where every step that stops it is missing.
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
import textwrap
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

COLUMNS: dict[str, frozenset[str]] = {
    "full": frozenset(),
    "-landlock": frozenset({"landlock"}),
    "-mounts": frozenset({"mount_namespace", "proc"}),
    "-seccomp": frozenset({"seccomp"}),
    "-pids": frozenset({"pid_namespace", "proc"}),
    "-network": frozenset({"net_namespace"}),
}
SETTINGS = SandboxSettings(max_memory_mb=200, max_processes=32, max_file_mb=8, max_disk_mb=40, max_output_bytes=65_536)
PYTHON = "/usr/bin/python3"
MARK = "akili-matrix-daemon"
X86_64 = os.uname().machine == "x86_64"


@dataclass(frozen=True)
class Attack:
    """``stopped_by`` empty: no layer that can be missing stops it, the limits and the identity do."""

    name: str
    line: str = ""
    code: str = ""
    stopped_by: frozenset[str] = frozenset()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    timeout_s: float = 10.0
    slow: bool = False
    oracle: str = "reached"

    def argv(self, ground: Ground) -> tuple[str, ...]:
        if self.line:
            return ("sh", "-c", self.filled(self.line, ground))
        return (PYTHON, "-I", "-S", "-c", PRELUDE + textwrap.dedent(self.filled(self.code, ground)))

    @staticmethod
    def filled(text: str, ground: Ground) -> str:
        for name, value in ground.names().items():
            text = text.replace(f"<{name}>", value)
        return text


PRELUDE = """
import ctypes, os, socket, sys, time, mmap
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(*words):
    return libc.syscall(*[ctypes.c_long(w) if isinstance(w, int) else w for w in words])
def reached(ok):
    print("REACHED" if ok else "no")
"""


def by(*steps: str) -> frozenset[str]:
    return frozenset(steps)


WRITE = by("landlock", "mount_namespace")
BLIND = by("mount_namespace")
CALL = by("seccomp")
SOCKET = by("seccomp", "net_namespace")
TCP = by("seccomp", "net_namespace", "landlock")

ATTACKS = [
    Attack("read a file", line="grep -q canary <o>/secret && echo REACHED", stopped_by=by("landlock")),
    Attack("list a directory", line="ls <o> | grep -q secret && echo REACHED", stopped_by=by("landlock")),
    Attack("read by a symlink", line="ln -s <o>/secret s; grep -q canary s && echo REACHED", stopped_by=by("landlock")),
    Attack(
        "read by /proc/self/root",
        line="grep -q canary /proc/self/root<o>/secret && echo REACHED",
        stopped_by=by("landlock"),
    ),
    Attack("read by dots", line="cd / && grep -q canary ./..<o>/secret && echo REACHED", stopped_by=by("landlock")),
    Attack("execute a program", line="<o>/program && echo REACHED", stopped_by=by("landlock")),
    Attack("overwrite", line="echo x > <o>/w1 && echo REACHED", stopped_by=WRITE),
    Attack("append", line="echo x >> <o>/w2 && echo REACHED", stopped_by=WRITE),
    Attack("truncate", code="reached(not libc.truncate(b'<o>/w3', 0))", stopped_by=WRITE),
    Attack("create", line="touch <o>/new1 && test -e <o>/new1 && echo REACHED", stopped_by=WRITE),
    Attack("make a directory", line="mkdir <o>/new2 && echo REACHED", stopped_by=WRITE),
    Attack("delete", line="rm -f <o>/w4 && test ! -e <o>/w4 && echo REACHED", stopped_by=WRITE),
    Attack("rename", line="mv <o>/w5 <o>/w6 && echo REACHED", stopped_by=WRITE),
    Attack("hard link", code="os.link('<o>/w2', '<o>/new3'); reached(True)", stopped_by=WRITE),
    Attack("read /tmp", line="grep -q canary <shared> && echo REACHED", stopped_by=by("landlock", "mount_namespace")),
    Attack("write /tmp", line="echo changed > <shared>", stopped_by=WRITE, oracle="shared"),
    Attack(
        "write /var/tmp", line="echo x > /var/tmp/akili-$$ && echo REACHED; rm -f /var/tmp/akili-$$", stopped_by=WRITE
    ),
    Attack(
        "write /dev/shm", line="echo x > /dev/shm/akili-m && echo REACHED; rm -f /dev/shm/akili-m", stopped_by=WRITE
    ),
    Attack("change the mode", line="chmod 640 <o>/own && echo REACHED", stopped_by=BLIND),
    Attack("change the time", line="touch -d 2001-01-01 <o>/own && echo REACHED", stopped_by=BLIND),
    Attack("set an attribute", code="os.setxattr('<o>/own', 'user.x', b'y'); reached(True)", stopped_by=BLIND),
    Attack(
        "plant a git hook",
        line="echo x > <o>/repo/.git/hooks/x && echo REACHED",
        writes=("<o>/repo",),
        stopped_by=BLIND,
    ),
    Attack(
        "change git config",
        line="echo x >> <o>/repo/.git/config && echo REACHED",
        writes=("<o>/repo",),
        stopped_by=BLIND,
    ),
    Attack("replace .git", line="mv <o>/repo/.git <o>/repo/o && echo REACHED", writes=("<o>/repo",), stopped_by=BLIND),
    Attack("read /etc/shadow", line="grep -q : /etc/shadow && echo REACHED"),
    Attack("raw disk", line="for d in /dev/[svx]d? /dev/nvme?n?; do head -c1 $d | grep -q . && echo REACHED; done"),
    Attack("core_pattern", line="echo x > /proc/sys/kernel/core_pattern && echo REACHED"),
    Attack(
        "environment of another",
        line="grep -qa canary /proc/<victim>/environ && echo REACHED",
        stopped_by=by("proc", "landlock"),
    ),
    Attack(
        "command line of another", line="grep -qa canary /proc/<victim>/cmdline && echo REACHED", stopped_by=by("proc")
    ),
    Attack(
        "memory of another by /proc",
        code="open('/proc/<victim>/mem', 'rb'); reached(True)",
        stopped_by=by("proc", "landlock"),
    ),
    Attack("signal another", line="kill -CONT <victim> && echo REACHED", stopped_by=by("pid_namespace", "landlock")),
    Attack(
        "ptrace another",
        code="reached(call(101, 16, <victim>, 0, 0) == 0)",
        stopped_by=by("seccomp", "pid_namespace", "landlock"),
    ),
    Attack("connect by TCP", code="socket.create_connection(('127.0.0.1', <port>), 2); reached(True)", stopped_by=TCP),
    Attack(
        "send by UDP",
        code="socket.socket(2, 2).sendto(b'x', ('127.0.0.1', <port>)); reached(True)",
        stopped_by=SOCKET,
    ),
    Attack(
        "connect by MPTCP",
        code="s = socket.socket(2, 1, 262); s.connect(('127.0.0.1', <port>)); reached(True)",
        stopped_by=SOCKET,
    ),
    Attack(
        "listen",
        code="s = socket.socket(); s.bind(('0.0.0.0', 0)); reached(True)",
        stopped_by=by("seccomp", "landlock"),
    ),
    Attack("open IPv6", code="socket.socket(10, 2); reached(True)", stopped_by=CALL),
    Attack("netlink", code="socket.socket(16, 3, 0); reached(True)", stopped_by=CALL),
    Attack("vsock", code="socket.socket(40, 1); reached(True)", stopped_by=CALL),
    Attack("Unix socket by path", code="socket.socket(1).connect('<o>/socket'); reached(True)", stopped_by=CALL),
    Attack("abstract Unix socket", code="socket.socket(1).connect('\\0<abstract>'); reached(True)", stopped_by=TCP),
    Attack("raw socket", code="socket.socket(2, 3, 1); reached(True)"),
    Attack("packet socket", code="socket.socket(17, 3); reached(True)"),
    Attack("io_uring", code="reached(call(425, 8, bytes(120)) >= 0)", stopped_by=CALL),
    Attack("userfaultfd", code="reached(call(323, 1) >= 0)", stopped_by=CALL),
    Attack("kernel keyring", code="reached(call(248, b'user', b'akili', b'x', 1, -3) >= 0)", stopped_by=CALL),
    Attack("bpf", code="reached(call(321, 0, bytes(128), 128) >= 0)"),
    Attack(
        "perf events", code="reached(call(298, bytes([0]*4 + [120] + [0]*115), 0, -1, -1, 0) >= 0)", stopped_by=CALL
    ),
    Attack("user namespace", code="reached(call(272, 0x10000000) == 0)", stopped_by=CALL),
    Attack("clone3", code="reached(call(435, bytes(8), 8) == -1 and ctypes.get_errno() == 22)", stopped_by=CALL),
    Attack("shared memory (SysV)", code="reached(call(29, 0, 4096, 0o1600) >= 0)", stopped_by=CALL),
    Attack("memfd", code="reached(call(319, b'x', 0) >= 0)", stopped_by=CALL),
    Attack("personality", code="reached(call(135, 0x0040000) >= 0)", stopped_by=CALL),
    Attack(
        "32-bit entry",
        code="""
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        reached(True)
        """,
        stopped_by=CALL,
    ),
    Attack("mount", code="reached(libc.mount(b'none', b'/mnt', b'tmpfs', 0, None) == 0)"),
    Attack("chroot", code="os.chroot('/'); reached(True)"),
    Attack("host name", code="reached(libc.sethostname(b'x', 1) == 0)"),
    Attack("become root", code="os.setuid(0); reached(True)"),
    Attack("set-uid program", line='test "$(<o>/suid -u)" = 0 && echo REACHED', reads=("<o>/suid",)),
    Attack("keep a capability", line="grep CapEff /proc/self/status | grep -q '[1-9a-f]$' && echo REACHED"),
    Attack("use an inherited descriptor", line="grep -qa canary <&<descriptor> && echo REACHED"),
    Attack(
        "daemon outlives the command",
        slow=True,
        oracle="daemon",
        code=f"""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(15)  # {MARK}
            os._exit(0)
        os.wait()
        """,
    ),
    Attack(
        "daemon outlives the timeout",
        slow=True,
        oracle="daemon",
        timeout_s=0.5,
        code=f"""
        if os.fork() == 0:
            os.setsid()
            os.fork()
            time.sleep(15)  # {MARK}
        time.sleep(15)
        """,
    ),
    Attack(
        "fork bomb",
        slow=True,
        code="""
        count = 0
        try:
            while count < 100:
                if os.fork() == 0:
                    time.sleep(5)
                    os._exit(0)
                count += 1
        except OSError:
            pass
        reached(count > 40)
        """,
    ),
    Attack("memory of one", slow=True, code="x = bytearray(300 << 20); reached(True)"),
    Attack(
        "memory of many",
        slow=True,
        code="""
        for _ in range(4):
            if os.fork() == 0:
                x = bytearray(120 << 20)
                for at in range(0, len(x), 4096):
                    x[at] = 1
                time.sleep(3)
                os._exit(0)
        time.sleep(2)
        reached(True)
        """,
    ),
    Attack("one huge file", slow=True, line="head -c 9M /dev/zero > f; test $(wc -c < f) -gt 8388608 && echo REACHED"),
    Attack(
        "many files",
        slow=True,
        line="for i in $(seq 25); do head -c 4M /dev/zero > f$i; done; sleep 1; echo REACHED",
    ),
    Attack("endless output", slow=True, timeout_s=1.0, oracle="flood", line="yes"),
]


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

    def names(self) -> dict[str, str]:
        return {
            "o": str(self.folder),
            "shared": str(self.shared),
            "victim": str(self.victim),
            "port": str(self.port),
            "abstract": f"akili-matrix-{self.port}",
            "descriptor": str(self.descriptor),
        }


def identity(uid: int) -> dict[str, Any]:
    return {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def ground_for(uid: int) -> Iterator[Ground]:
    """Make everything, as root if that is who runs this, and take it away again."""
    top = Path(tempfile.mkdtemp(prefix="akili-matrix-", dir="/var/tmp"))
    top.chmod(0o755)
    ground = Ground(top / "outside", uid, scratch=top / "scratch")
    ground.shared = Path("/tmp", f"{top.name}-shared")
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
        with contextlib.suppress(OSError):
            ground.shared.unlink()


@contextlib.contextmanager
def plant(ground: Ground) -> Iterator[int]:
    outside = ground.folder
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


def replenish(ground: Ground) -> None:
    if not ground.shared.exists() or is_changed(ground):
        ground.shared.write_text("canary")
    for name in ("secret", "own", *(f"w{number}" for number in range(1, 6))):
        path = ground.folder / name
        if not path.exists():
            path.write_text("canary")
            path.chmod(0o666)
    for name in ("new1", "new2", "new3", "w6", "repo/o"):
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
            attack.argv(ground),
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


async def confined(attack: Attack, ground: Ground, sandbox: ProcessSandbox) -> bool:
    """Try it in the sandbox."""
    names = [tuple(attack.filled(path, ground) for path in paths) for paths in (attack.reads, attack.writes)]
    permit = permit_for(Effects(reads=names[0], writes=names[1]))
    result = await sandbox.run(ExecRequest(attack.argv(ground), attack.timeout_s), permit)
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


async def measure(ground: Ground, columns: dict[str, frozenset[str]]) -> tuple[Matrix, dict[str, list[str]]]:
    """Run every attack in every column; also give what each sandbox says of its layers."""
    attacks = [attack for attack in ATTACKS if X86_64 or "call(" not in attack.code]
    matrix: Matrix = {attack.name: {"none": plainly(attack, ground)} for attack in attacks}
    said: dict[str, list[str]] = {}
    for column, without in columns.items():
        sandbox = ProcessSandbox(SETTINGS, ground.scratch, SystemClock(), without=without)
        said[column] = [f"{layer.name} {layer.active} {layer.detail}" for layer in sandbox.layers()]
        for attack in attacks:
            if column == "full" or not attack.slow:
                matrix[attack.name][column] = await confined(attack, ground, sandbox)
        await sandbox.close()
    return matrix, said


def expected(attack: Attack, without: frozenset[str]) -> bool:
    """Tell whether an attack is open without some steps."""
    return bool(attack.stopped_by) and attack.stopped_by <= without


def table(matrix: Matrix) -> str:
    columns = ["none", *COLUMNS]
    lines = [f"{'attack':<30}" + "".join(f"{column:>11}" for column in columns)]
    for name, row in matrix.items():
        cells = ("?" if column not in row else "X" if row[column] else "." for column in columns)
        lines.append(f"{name:<30}" + "".join(f"{cell:>11}" for cell in cells))
    counts = (sum(row.get(column, False) for row in matrix.values()) for column in columns)
    return "\n".join([*lines, f"{len(matrix):<30}" + "".join(f"{count:>11}" for count in counts)])


def run_as(uid: int) -> tuple[Matrix, dict[str, list[str]]]:
    """Measure as root (the commands then are 65534), or as another uid in a process of its own."""
    if os.geteuid() == 0 and uid != 0:
        argv = [sys.executable, str(Path(__file__).resolve()), "--json", "--uid", str(uid)]
        done = subprocess.run(argv, capture_output=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
        matrix, said = json.loads(done.stdout)
        return matrix, said
    with ground_for(65534 if uid == 0 else uid) as ground:
        return asyncio.run(measure(ground, COLUMNS))


def measure_as_user(uid: int) -> tuple[Matrix, dict[str, list[str]]]:
    """Make the ground as root, then give root up for good and measure."""
    with ground_for(uid) as ground:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        sys.executable = PYTHON  # the interpreter of the tests may lie in root's home
        return asyncio.run(measure(ground, COLUMNS))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uid", type=int, default=os.geteuid())
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.json:
        sys.stdout.write(json.dumps(measure_as_user(given.uid)))
        return
    uids = [0, 1000] if os.geteuid() == 0 else [given.uid]
    for uid in uids:
        sys.stdout.write(f"\nuid {uid}\n{table(run_as(uid)[0])}\n")


if __name__ == "__main__":
    main()
