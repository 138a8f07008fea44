from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest, ExecResult
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.permits import permit_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")
CANARY = "canary-7f3a"
NOTHING = Effects()
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def sandbox(tmp_path: Path) -> ProcessSandbox:
    settings = SandboxSettings(max_memory_mb=256, max_processes=32, max_file_mb=8)
    return ProcessSandbox(settings, tmp_path / "scratch", SystemClock())


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory open to every uid, so that only the sandbox stands in the way."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    folder = tmp_path / "outside"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "secret").write_text(CANARY)
    (folder / "secret").chmod(0o666)
    return folder


async def sh(
    sandbox: ProcessSandbox,
    line: str,
    effects: Effects = NOTHING,
    *,
    timeout_s: float = 10,
    protected: tuple[str, ...] = (),
) -> ExecResult:
    return await sandbox.run(ExecRequest(("sh", "-c", line), timeout_s), permit_for(effects, protected=protected))


async def py(sandbox: ProcessSandbox, code: str, effects: Effects = NOTHING, *, timeout_s: float = 10) -> ExecResult:
    request = ExecRequest(("/usr/bin/python3", "-I", "-S", "-c", textwrap.dedent(code)), timeout_s)
    return await sandbox.run(request, permit_for(effects))


READS = {
    "plainly": "cat {o}/secret",
    "by dots": "cat $PWD/../../outside/secret",
    "by a symlink": "ln -s {o}/secret s && cat s",
    "by a symlinked directory": "ln -s {o} d && cat d/secret",
    "by a hard link": "ln {o}/secret h && cat h",
    "through /proc/self/root": "cat /proc/self/root{o}/secret",
    "through /proc/1/root": "cat /proc/1/root{o}/secret",
    "through /proc/1/cwd": "cat /proc/1/cwd/../../outside/secret",
    "by listing": f"ls {{o}} | sed s/secret/{CANARY}/",
    "by the shell": "read x < {o}/secret; echo $x",
    "by executing it": "sh {o}/secret; . {o}/secret",
    "by changing directory first": "cd {o} && cat secret",
    "by moving it here": "mv {o}/secret here && cat here",
    "by a bind mount": "mkdir m; mount --bind {o} m; cat m/secret",
    "in a namespace of its own": "unshare -Urm cat {o}/secret",
}


@pytest.mark.parametrize("line", READS.values(), ids=READS.keys())
async def test_a_file_outside_cannot_be_read(sandbox: ProcessSandbox, outside: Path, line: str) -> None:
    result = await sh(sandbox, line.format(o=outside))
    assert CANARY.encode() not in result.stdout + result.stderr.replace(str(outside).encode(), b"")
    assert (outside / "secret").read_text() == CANARY


WRITES = {
    "overwrite": "echo x > {o}/secret",
    "append": "echo x >> {o}/secret",
    "write without truncating": "echo x 1<> {o}/secret",
    "truncate": "truncate -s 0 {o}/secret",
    "create": "echo x > {o}/new",
    "make a directory": "mkdir {o}/new",
    "delete": "rm -f {o}/secret",
    "rename": "mv {o}/secret {o}/new",
    "through a symlink": "ln -s {o}/secret s; echo x > s",
    "link into it": "echo x > f; ln f {o}/new; ln -s f {o}/new",
    "make a fifo": "mkfifo {o}/new",
    "change the mode": "chmod 000 {o}/secret; chmod 700 {o}",
    "change the time": "touch -d 2001-01-01 {o}/secret",
    "set an attribute": "setfattr -n user.x -v y {o}/secret",
}


@pytest.mark.parametrize("line", WRITES.values(), ids=WRITES.keys())
async def test_nothing_outside_can_be_changed(sandbox: ProcessSandbox, outside: Path, line: str) -> None:
    if os.geteuid() == 0:
        for path in (outside, outside / "secret"):
            os.chown(path, 65534, 65534)
    before = [os.stat(path) for path in (outside, outside / "secret")]
    await sh(sandbox, line.format(o=outside))
    after = [os.stat(path) for path in (outside, outside / "secret")]
    assert [(s.st_mode, s.st_size, s.st_mtime_ns) for s in before] == [
        (s.st_mode, s.st_size, s.st_mtime_ns) for s in after
    ]
    assert [path.name for path in outside.iterdir()] == ["secret"]


async def test_a_tool_whose_effects_lie_about_reading_is_stopped(sandbox: ProcessSandbox, outside: Path) -> None:
    (outside / "a").write_text("declared")
    result = await sh(sandbox, f"cat {outside}/a {outside}/secret", Effects(reads=(f"{outside}/a",)))
    assert result.stdout == b"declared"
    assert result.exit_code != 0


async def test_a_tool_whose_effects_lie_about_writing_is_stopped(sandbox: ProcessSandbox, outside: Path) -> None:
    (outside / "a").write_text("")
    (outside / "a").chmod(0o666)
    line = f"echo x > {outside}/a; echo x > {outside}/secret; echo x > {outside}/new; rm {outside}/secret"
    await sh(sandbox, line, Effects(writes=(f"{outside}/a",)))
    assert (outside / "a").read_text() == "x\n"
    assert (outside / "secret").read_text() == CANARY
    assert not (outside / "new").exists()


async def test_a_permitted_path_swapped_for_a_symlink_is_refused(sandbox: ProcessSandbox, outside: Path) -> None:
    (outside / "swapped").symlink_to(outside / "secret")
    with pytest.raises(SandboxError):
        await sh(sandbox, f"cat {outside}/swapped", Effects(reads=(f"{outside}/swapped",)))


async def test_an_undeclared_working_directory_is_refused(sandbox: ProcessSandbox, outside: Path) -> None:
    with pytest.raises(SandboxError, match="working directory"):
        await sandbox.run(ExecRequest(("cat", "secret"), 5, cwd=str(outside)), permit_for(NOTHING))


PROTECTED_LINES = {
    "read": "cat {o}/akili/policy",
    "list": "ls {o}/akili | grep policy",
    "read below": "find {o} -type f -exec cat {{}} +",
    "write": "echo x > {o}/akili/policy",
    "plant": "echo x > {o}/akili/hook",
    "delete": "rm -rf {o}/akili",
    "swap": "mv {o}/akili {o}/old; mkdir {o}/akili; echo x > {o}/akili/policy",
    "link": "ln {o}/akili/policy {o}/p; cat {o}/p",
}


@pytest.mark.parametrize("mounts", [True, False], ids=["private mounts", "Landlock alone"])
@pytest.mark.parametrize("line", PROTECTED_LINES.values(), ids=PROTECTED_LINES.keys())
async def test_a_protected_root_below_a_permitted_path_stays_closed(
    sandbox: ProcessSandbox, outside: Path, line: str, mounts: bool
) -> None:
    root = outside / "akili"
    root.mkdir()
    root.chmod(0o777)
    (root / "policy").write_text("PROTECTED")
    (root / "policy").chmod(0o666)
    if not mounts:
        turn_off(sandbox, "mount_namespace", "proc")
    effects = Effects(reads=(str(outside),), writes=(str(outside),))
    result = await sh(sandbox, line.format(o=outside), effects, protected=(str(root),))
    assert b"PROTECTED" not in result.stdout
    assert b"policy\n" not in result.stdout
    assert [path.name for path in root.iterdir()] == ["policy"]
    assert (root / "policy").read_text() == "PROTECTED"


async def test_a_permit_for_everything_gives_no_disk_no_secret_and_no_protected_path(
    sandbox: ProcessSandbox, outside: Path
) -> None:
    root = outside / "akili"
    root.mkdir()
    (root / "policy").write_text("PROTECTED")
    line = f"""
        ls / | grep etc; ls {outside}; ls {root}; cat {root}/policy
        for disk in $(awk 'NR > 2 {{print $4}}' /proc/partitions); do head -c 1 /dev/$disk && echo DISK; done
        head -c 1 /proc/kcore && echo DISK; cat /proc/1/environ /proc/{os.getpid()}/environ | grep -ac PATH
        """
    result = await sh(sandbox, line, Effects(reads=("/",)), protected=(str(root),))
    assert result.stdout.split()[:3] == [b"etc", b"akili", b"secret"]
    assert result.stdout.split()[3:] == [b"0"]


async def test_a_raw_disk_is_never_granted(sandbox: ProcessSandbox) -> None:
    disks = [path for path in Path("/dev").iterdir() if path.is_block_device()]
    if not disks:
        pytest.skip("no disk here")
    with pytest.raises(SandboxError, match="raw disk"):
        await sh(sandbox, "true", Effects(reads=(str(disks[0]),)))


async def test_a_permit_for_a_protected_path_is_refused(sandbox: ProcessSandbox, outside: Path) -> None:
    for effects in (Effects(reads=(f"{outside}/secret",)), Effects(writes=(str(outside),))):
        with pytest.raises(SandboxError, match="protected"):
            await sh(sandbox, "true", effects, protected=(str(outside),))


def turn_off(sandbox: ProcessSandbox, *steps: str) -> None:
    """Pretend that this machine lacks some steps."""
    probe = sandbox._probed()
    sandbox._probe = type(probe)(probe.root, {**probe.failed, **dict.fromkeys(steps, "turned off by a test")})


@pytest.mark.parametrize("reads", [(), ("/proc",)], ids=["own proc", "the machine's proc"])
async def test_no_environment_of_another_process_can_be_read(
    sandbox: ProcessSandbox, monkeypatch: pytest.MonkeyPatch, reads: tuple[str, ...]
) -> None:
    monkeypatch.setenv("AKILI_TEST_TOKEN", CANARY)
    victim = subprocess.Popen(["sleep", "30"], env={"TOKEN": CANARY})
    try:
        line = f"env; cat /proc/*/environ /proc/{victim.pid}/environ /proc/{os.getpid()}/environ"
        result = await sh(sandbox, line, Effects(reads=reads))
    finally:
        victim.kill()
        victim.wait()
    assert CANARY.encode() not in result.stdout


async def test_processes_outside_are_not_visible(sandbox: ProcessSandbox) -> None:
    result = await sh(sandbox, "ls /proc | grep -c '^[0-9]'")
    assert int(result.stdout) < 8


async def test_a_process_outside_cannot_be_signalled(sandbox: ProcessSandbox) -> None:
    victim = subprocess.Popen(["sleep", "30"], user=65534 if os.geteuid() == 0 else None)
    try:
        await sh(sandbox, f"kill -9 {victim.pid}; kill -9 {os.getpid()}", Effects(reads=("/proc",)))
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("line", ["kill -9 1", "kill -STOP 1", "kill -INT 1", "kill -TERM 1"])
async def test_the_supervisor_cannot_be_signalled_from_inside(sandbox: ProcessSandbox, line: str) -> None:
    result = await sh(sandbox, f"{line}; sleep 0.05; echo still here")
    assert result.stdout == b"still here\n"
    assert result.exit_code == 0


SOCKETS = {
    "tcp": "socket.create_connection(('127.0.0.1', {port}), 2)",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
    "tcp over ipv6": "socket.socket(socket.AF_INET6)",
    "mptcp": "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)",
    "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "packet": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "vsock": "socket.socket(40, socket.SOCK_STREAM)",
    "unix": "socket.socket(socket.AF_UNIX).connect({path!r})",
    "abstract unix": "socket.socket(socket.AF_UNIX).connect('\\0akili-attack-{port}')",
    "listening": "socket.socket().listen()",
    "a vsock pair": "socket.socketpair(40, socket.SOCK_STREAM)",
}


@pytest.mark.parametrize("reads", [(), ("/proc",)], ids=["own network", "the machine's network"])
@pytest.mark.parametrize("code", SOCKETS.values(), ids=SOCKETS.keys())
async def test_no_socket_reaches_out(
    sandbox: ProcessSandbox, outside: Path, code: str, reads: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    if "netlink" in request.node.name and reads:
        pytest.skip("observing sockets is what /proc is asked for")
    path = str(outside / "socket")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        port = tcp.getsockname()[1]
        unix.bind(path)
        os.chmod(path, 0o777)
        unix.listen()
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(f"\0akili-attack-{port}")
        abstract.listen()
        line = code.format(port=port, path=path)
        result = await py(sandbox, f"import socket\n{line}\nprint('open')", Effects(reads=reads))
        abstract.close()
    assert b"open" not in result.stdout
    assert b"Error" in result.stderr


CALLS = {
    "ptrace": (101, 16, 1),
    "unshare": (272, 0x10000000),
    "mount": (165, 0, 0, 0, 0, 0),
    "setns": (308, 0, 0),
    "io_uring_setup": (425, 8, 0),
    "bpf": (321, 0, 0, 0),
    "keyctl": (250, 0, -3, 0),
    "add_key": (248, 0, 0, 0, 0, 0),
    "userfaultfd": (323, 0),
    "perf_event_open": (298, 0, 0, -1, -1, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
    "pidfd_getfd": (438, 0, 0, 0),
    "open_by_handle_at": (304, -100, 0, 0),
    "name_to_handle_at": (303, -100, 0, 0, 0, 0),
    "personality": (135, 0xFFFFFFFF),
    "clone into a user namespace": (56, 0x10000000 | 17, 0, 0, 0, 0),
    "clone3": (435, 0, 0),
    "memfd_create": (319, 0, 0),
    "shmget": (29, 0, 4096, 0o1600),
    "TIOCSTI": (16, 0, 0x5412, 0),
    "TIOCSTI with garbage above": (16, 0, 0xABCD00005412, 0),
    "TIOCLINUX": (16, 0, 0x541C, 0),
    "chroot": (161, 0),
    "fsopen": (430, 0, 0),
    "x32 entry": (0x40000000 + 39,),
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="call numbers of x86_64")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_a_dangerous_system_call_is_refused(sandbox: ProcessSandbox, call: tuple[int, ...]) -> None:
    code = f"""
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
        result = libc.syscall(*[ctypes.c_long(word) for word in {call!r}])
        print(result, ctypes.get_errno())
        """
    result = await py(sandbox, code)
    assert result.stdout in (b"-1 1\n", b"-1 38\n"), result  # EPERM or ENOSYS, nothing a bad argument would give


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the 32-bit entry of x86_64")
async def test_the_32_bit_entry_kills(sandbox: ProcessSandbox) -> None:
    code = """
        import ctypes, mmap
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        ctypes.CFUNCTYPE(ctypes.c_int)(address)()
        print("passed")
        """
    result = await py(sandbox, code)
    assert result.exit_code == -signal.SIGSYS
    assert result.stdout == b""


async def test_no_capability_uid_or_group_is_left(sandbox: ProcessSandbox) -> None:
    result = await sh(sandbox, "cat /proc/self/status")
    status = dict(line.split(":\t", 1) for line in result.stdout.decode().splitlines())
    assert {status[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert "0" not in status["Uid"].split() + status["Gid"].split()


@AS_ROOT
async def test_a_permitted_file_of_root_can_be_read_and_only_that(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for name in ("granted", "other"):
        (closed / name).write_text(name)
        (closed / name).chmod(0o600)
    line = (
        f"cat {closed}/granted {closed}/other /etc/shadow /etc/ssl/private/*; grep -E 'Cap(Bnd|Eff)' /proc/self/status"
    )
    result = await sh(sandbox, line, Effects(reads=(f"{closed}/granted",)))
    lines = result.stdout.decode().splitlines()
    assert lines[0].startswith("granted")
    assert "".join(lines).count("0000000000000004") == 2
    assert b"other" not in result.stdout
    assert b"root:" not in result.stdout


async def test_no_descriptor_is_inherited(sandbox: ProcessSandbox, outside: Path) -> None:
    with open(outside / "secret") as file:
        os.set_inheritable(file.fileno(), True)
        result = await sh(sandbox, f"ls /proc/self/fd; cat <&{file.fileno()}")
    assert set(result.stdout.split()) <= {b"0", b"1", b"2", b"3"}
    assert CANARY.encode() not in result.stdout


def processes_with(marker: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return [process for process in found if process != os.getpid()]


DAEMON = """
    import os, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(30)
        os._exit(0)
    {then}
    # {marker}
    """


@pytest.mark.parametrize("namespace", [True, False], ids=["PID namespace", "hunted down"])
@pytest.mark.parametrize(("then", "timed_out"), [("time.sleep(30)", True), ("os.wait()", False)])
async def test_a_daemon_does_not_outlive_its_command(
    sandbox: ProcessSandbox, then: str, timed_out: bool, namespace: bool
) -> None:
    if not namespace:
        turn_off(sandbox, "pid_namespace", "proc")
    marker = f"akili-daemon-{os.getpid()}-{timed_out}-{namespace}"
    result = await py(sandbox, DAEMON.format(then=then, marker=marker), timeout_s=0.5 if timed_out else 10)
    assert result.timed_out is timed_out
    assert result.duration_s < 5
    assert processes_with(marker) == []
    assert ("processes" in result.layers) is namespace


async def test_cancelling_ends_the_tree_and_removes_the_scratch_directory(
    sandbox: ProcessSandbox, tmp_path: Path
) -> None:
    marker = f"akili-cancel-{os.getpid()}"
    task = asyncio.ensure_future(py(sandbox, DAEMON.format(then="time.sleep(30)", marker=marker)))
    while not processes_with(marker):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes_with(marker) == []
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_killing_akili_ends_the_command(tmp_path: Path) -> None:
    marker = f"akili-orphan-{os.getpid()}"
    code = f"""
        import asyncio
        from pathlib import Path
        from akili_cli.core.sandbox.backends.process import ProcessSandbox
        from akili_cli.core.sandbox.base import ExecRequest
        from akili_cli.core.sandbox.settings import SandboxSettings
        from akili_cli.domain.clock import SystemClock
        from akili_cli.domain.effects import Effects
        from tests.fakes.permits import permit_for
        box = ProcessSandbox(SandboxSettings(), Path({str(tmp_path)!r}), SystemClock())
        request = ExecRequest(("sh", "-c", "sleep 30; : {marker[:-1]}''{marker[-1]}"), 30)
        asyncio.run(box.run(request, permit_for(Effects())))
        """
    akili = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], cwd=Path(__file__).parents[2])
    shown = f"{marker[:-1]}''{marker[-1]}"

    async def until(done: Callable[[], bool]) -> None:
        while not done():
            assert akili.returncode is not None or akili.poll() is None
            await asyncio.sleep(0.01)

    try:
        await asyncio.wait_for(until(lambda: any(p != akili.pid for p in processes_with(shown))), 10)
    finally:
        akili.kill()
        akili.wait()
    await asyncio.wait_for(until(lambda: not processes_with(shown)), 3)
    assert list(tmp_path.glob("akili-sandbox-*")), "a killed akili cannot tidy up"
    ProcessSandbox(SandboxSettings(), tmp_path, SystemClock())
    assert not list(tmp_path.glob("akili-sandbox-*"))


async def test_a_fork_bomb_is_held_by_the_process_limit(sandbox: ProcessSandbox) -> None:
    assert sandbox._probed().works("pid_namespace")
    code = """
        import os, time
        count = 0
        try:
            while count < 200:
                if os.fork() == 0:
                    time.sleep(20)
                count += 1
        except OSError:
            pass
        print(count)
        """
    result = await py(sandbox, code)
    assert 0 < int(result.stdout) <= 33


async def test_one_process_cannot_take_more_memory_than_the_limit(sandbox: ProcessSandbox) -> None:
    result = await py(sandbox, "x = bytearray(400 << 20); print('got it')")
    assert b"got it" not in result.stdout


@pytest.mark.parametrize("shared", [False, True], ids=["private", "shared"])
async def test_a_tree_cannot_take_more_memory_than_the_limit(sandbox: ProcessSandbox, shared: bool) -> None:
    what = "mmap.mmap(-1, 150 << 20)" if shared else "bytearray(150 << 20)"
    code = f"""
        import os, time, mmap
        for _ in range(6):
            if os.fork() == 0:
                x = {what}
                for at in range(0, len(x), 4096):
                    x[at] = 1
                time.sleep(20)
        time.sleep(20)
        """
    result = await py(sandbox, code)
    assert result.exit_code == -9
    assert not result.timed_out
    assert b"more than 256 MB" in result.stderr


DISK_FILLERS = {
    "many files": "for i in $(seq 60); do head -c 4000000 /dev/zero > f$i; done; sleep 20",
    "deep": "while mkdir d && cd d; do head -c 4000000 /dev/zero > f; done; sleep 20",
    "closed directories": "for i in $(seq 60); do mkdir $i; head -c 4M /dev/zero > $i/f; chmod 0 $i; done; sleep 20",
    "files without a name": "for i in $(seq 60); do (exec 9>$i; rm $i; head -c 4M /dev/zero >&9; sleep 20)& done; wait",
}


@pytest.mark.parametrize("line", DISK_FILLERS.values(), ids=DISK_FILLERS.keys())
async def test_a_tree_cannot_fill_the_disk(tmp_path: Path, line: str) -> None:
    settings = SandboxSettings(max_file_mb=8, max_disk_mb=40)
    result = await ProcessSandbox(settings, tmp_path, SystemClock()).run(
        ExecRequest(("sh", "-c", line), 15), permit_for(NOTHING)
    )
    assert not result.timed_out
    assert b"more than 40 MB on disk" in result.stderr


async def test_a_tree_cannot_use_up_the_inodes() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:  # in memory: nobody waits for a disk
        box = ProcessSandbox(SandboxSettings(), Path(folder), SystemClock())
        result = await py(box, "import os\nfor n in range(400_000): os.close(os.open(str(n), 65))", timeout_s=30)
        assert not result.timed_out
        assert result.exit_code == -9
        assert b"more than 512 MB on disk" in result.stderr
        assert os.listdir(folder) == []


async def test_a_path_that_is_swapped_all_the_time_never_leads_elsewhere(
    sandbox: ProcessSandbox, outside: Path
) -> None:
    ways = outside / "ways"
    (ways / "real").mkdir(parents=True)
    (ways / "real/secret").write_text("harmless")
    for path in (ways, ways / "real"):
        path.chmod(0o777)
    (ways / "link").symlink_to(outside)
    granted, stop = ways / "granted", threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for name in ("real", "link"):
                os.rename(ways / name, granted)
                os.rename(granted, ways / name)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    try:
        for _ in range(60):
            with contextlib.suppress(SandboxError):
                line = f"cat {granted}/secret; echo x > {granted}/new"
                seen.add((await sh(sandbox, line, Effects(reads=(str(granted),), writes=(str(granted),)))).stdout)
    finally:
        stop.set()
        swapper.join()
    assert seen <= {b"", b"harmless"}
    assert not (outside / "new").exists()
    assert (outside / "secret").read_text() == CANARY


async def test_a_program_that_waits_for_input_gets_none(sandbox: ProcessSandbox) -> None:
    result = await sh(sandbox, "cat; read x; head -c1 /dev/tty; echo done")
    assert result.stdout == b"done\n"
    assert result.duration_s < 3


async def test_what_stays_visible_is_said(sandbox: ProcessSandbox) -> None:
    result = await sh(sandbox, "stat -c %s /etc/shadow; cat /etc/shadow || ls /etc || echo no more")
    assert result.stdout == b"%d\nno more\n" % os.stat("/etc/shadow").st_size
    files = next(layer for layer in sandbox.layers() if layer.name == "files")
    assert "size and time of a file outside can be asked for by its exact name" in files.detail


async def test_a_tree_cannot_use_more_cpu_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("akili_cli.core.sandbox.backends.fields._CPU_S_PER_CORE", 1)
    code = """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                while time.process_time() < 0.6:
                    pass
                time.sleep(20)
        time.sleep(20)
        """
    result = await py(ProcessSandbox(SandboxSettings(), tmp_path, SystemClock()), code, timeout_s=15)
    assert not result.timed_out
    assert b"used more CPU" in result.stderr


async def test_a_file_cannot_grow_past_the_limit(sandbox: ProcessSandbox) -> None:
    result = await sh(sandbox, "head -c 20000000 /dev/zero > big; wc -c < big")
    assert int(result.stdout.split()[-1]) <= 8 << 20


async def test_endless_output_ends_with_the_timeout_and_is_capped(tmp_path: Path) -> None:
    box = ProcessSandbox(SandboxSettings(max_output_bytes=4096), tmp_path, SystemClock())
    result = await box.run(ExecRequest(("yes",), 0.5), permit_for(NOTHING))
    assert result.timed_out
    assert result.truncated
    assert len(result.stdout) <= 4096
    assert b"bytes left out" in result.stdout


async def test_a_daemon_that_holds_the_pipe_does_not_block(sandbox: ProcessSandbox) -> None:
    turn_off(sandbox, "pid_namespace", "proc")
    result = await sh(sandbox, "sleep 30 & echo done")
    assert result.stdout == b"done\n"
    assert result.duration_s < 3


async def test_hostile_leftovers_are_removed(sandbox: ProcessSandbox, tmp_path: Path) -> None:
    code = """
        import os
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        open("deep", "w").close()
        os.chdir(os.environ["HOME"])
        os.mkdir("closed")
        open("closed/file", "w").close()
        os.chmod("closed", 0)
        os.symlink("/", "root")
        os.mkfifo("fifo")
        """
    result = await py(sandbox, code)
    assert result.exit_code == 0
    assert list((tmp_path / "scratch").iterdir()) == []


AS_USER = """
    import asyncio, os, sys
    from pathlib import Path
    from concurrent.futures import thread
    from akili_cli.core.sandbox.backends.process import ProcessSandbox
    from akili_cli.core.sandbox.base import ExecRequest
    from akili_cli.core.sandbox.settings import SandboxSettings
    from akili_cli.domain.clock import SystemClock
    from akili_cli.domain.effects import Effects
    from tests.fakes.permits import permit_for
    os.setgroups([]); os.setresgid(1000, 1000, 1000); os.setresuid(1000, 1000, 1000)
    sys.executable = "/usr/bin/python3"  # the interpreter of the tests may lie in root's home
    folder = Path({folder!r})
    (folder / "victim").write_text("victim")
    (folder / "victim").chmod(0o600)
    required = ("files", "network", "processes", "syscalls", "limits", "identity")
    box = ProcessSandbox(SandboxSettings(require=required), folder / "scratch", SystemClock())
    line = "cat {folder}/victim; echo x > {folder}/victim; chmod 0 {folder}/victim;"
    line += "cat /proc/*/environ | grep -a TOKEN; unshare -Ur true && echo namespace;"
    line += f"kill -9 {{os.getpid()}}; grep CapEff /proc/self/status; id -u"
    result = asyncio.run(box.run(ExecRequest(("sh", "-c", line), 10), permit_for(Effects())))
    assert result.layers == required
    assert os.stat(folder / "victim").st_mode & 0o777 == 0o600
    assert not os.listdir(folder / "scratch")
    sys.stdout.buffer.write(result.stdout)
    """


@AS_ROOT
def test_the_layers_also_hold_for_an_ordinary_user(outside: Path) -> None:
    os.chown(outside, 1000, 1000)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(AS_USER).format(folder=str(outside))],
        cwd=Path(__file__).parents[2],
        env={"TOKEN": CANARY},
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.stdout.split() == [b"CapEff:", b"0" * 16, b"1000"], done.stderr.decode()
    assert (outside / "victim").read_text() == "victim"


CLIENTS = {"attached"}  # runs somebody else's program, in a process group of their own making


def test_no_code_signals_more_than_single_processes() -> None:
    package = Path(ProcessSandbox.__module__.replace(".", "/")).parts[:3]
    root = Path(__file__).parents[2].joinpath(*package)
    source = "".join(path.read_text() for path in root.rglob("*.py") if path.stem not in CLIENTS)
    assert "killpg" not in source
    assert "kill(-" not in source
    assert "kill(0" not in source
