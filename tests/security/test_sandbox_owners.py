"""What a root akili's commands may change of root's files: exactly what the permit names, and never by being root."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest, ExecResult
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.core.tools.builtin.shell_exec import ShellArgs, ShellExec
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.confined import confined
from tests.fakes.permits import permit_for

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]
CONFIG = "worker 1;\n"


@pytest.fixture
def sandbox(tmp_path: Path) -> ProcessSandbox:
    return ProcessSandbox(SandboxSettings(max_file_mb=1, max_disk_mb=2), tmp_path / "scratch", SystemClock())


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A directory of root's, below one that only root may enter."""
    folder = tmp_path / "closed" / "nginx"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    folder.chmod(0o755)
    for name, mode in (("nginx.conf", 0o640), ("key.pem", 0o600), ("mime.types", 0o644), ("sub/deep", 0o644)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(CONFIG)
        (folder / name).chmod(mode)
    return folder


async def sh(sandbox: ProcessSandbox, line: str, effects: Effects, *, timeout_s: float = 10) -> ExecResult:
    return await sandbox.run(ExecRequest(("sh", "-c", line), timeout_s), permit_for(effects))


def state(folder: Path) -> dict[str, tuple[str, int, int, str]]:
    return {
        str(path.relative_to(folder)): (oct(found.st_mode), found.st_uid, found.st_gid, path.read_text())
        for path in folder.rglob("*")
        if stat.S_ISREG((found := path.lstat()).st_mode)
    }


EVERYDAY = {
    "sed in place": ("sed -i 's/1/2/' {e}/nginx.conf", {"nginx.conf": "worker 2;\n"}),
    "redirect": ("echo x > {e}/nginx.conf", {"nginx.conf": "x\n"}),
    "append": ("echo x >> {e}/nginx.conf", {"nginx.conf": CONFIG + "x\n"}),
    "tee": ("echo x | tee {e}/nginx.conf > /dev/null", {"nginx.conf": "x\n"}),
    "truncate": ("truncate -s 0 {e}/nginx.conf", {"nginx.conf": ""}),
    "copy": ("cp /etc/hostname {e}/new; echo x > {e}/new", {"new": "x\n"}),
    "create": ("echo x > {e}/new", {"new": "x\n"}),
    "make a directory": ("mkdir -p {e}/a/b", {}),
    "remove": ("rm {e}/mime.types", {"mime.types": None}),
    "move": ("mv {e}/mime.types {e}/types", {"mime.types": None, "types": CONFIG}),
}


@pytest.mark.parametrize(("line", "changes"), EVERYDAY.values(), ids=EVERYDAY.keys())
async def test_what_an_operator_types_works_from_the_effects_of_the_line_alone_and_stays_roots(
    sandbox: ProcessSandbox, etc: Path, line: str, changes: dict[str, str | None]
) -> None:
    before = state(etc)
    args = ShellArgs(command=line.format(e=etc))
    tool = ShellExec(sandbox, [str(etc)], 30, "/root")
    output = await tool.run(args, permit_for(tool.effects(args)))
    assert output.ok, output.text
    assert "refused" not in output.text
    after = state(etc)
    assert {name: found[3] for name, found in after.items()} == {
        name: text
        for name, text in ({name: found[3] for name, found in before.items()} | changes).items()
        if text is not None
    }
    assert {found[1:3] for found in after.values()} == {(0, 0)}
    assert all(after[name][0] == before[name][0] for name in before.keys() & after.keys())


async def test_a_directory_granted_as_a_whole_is_changed_as_its_owner_and_stays_the_owners(
    sandbox: ProcessSandbox, etc: Path
) -> None:
    os.chown(etc, 33, 34)
    for name in ("nginx.conf", "sub"):
        os.chown(etc / name, 33, 34)
    line = f"cd {etc} && sed -i s/1/2/ nginx.conf && mkdir a && echo x > a/b && rm -r sub/deep && id -u"
    result = await sh(sandbox, line, Effects(writes=(str(etc),)))
    assert (result.exit_code, result.stdout) == (0, b"65534\n"), result.stderr
    assert (etc / "nginx.conf").read_text() == "worker 2;\n"
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (etc / "nginx.conf", etc / "a", etc / "a/b")} == {
        (33, 34)
    }


async def test_files_of_a_third_owner_in_such_a_directory_stay_closed(sandbox: ProcessSandbox, etc: Path) -> None:
    os.chown(etc / "key.pem", 1234, 1234)
    line = f"echo x > {etc}/key.pem; chmod 777 {etc}/key.pem; chown 0 {etc}/key.pem"
    await sh(sandbox, line, Effects(writes=(str(etc),)))
    assert state(etc)["key.pem"] == ("0o100600", 1234, 1234, CONFIG)


BEYOND = {
    "write a sibling": "echo x > {e}/mime.types",
    "append to a sibling": "echo x >> {e}/mime.types",
    "replace a sibling": "echo x > {e}/nginx.new; mv -f {e}/nginx.new {e}/mime.types",
    "delete a sibling": "rm -f {e}/mime.types {e}/sub/deep",
    "create a sibling": "echo x > {e}/evil; mkdir {e}/evil.d; ln -s /etc/shadow {e}/evil.link; mkfifo {e}/evil.fifo",
    "change the mode of a sibling": "chmod 777 {e}/key.pem {e}/sub",
    "change the directory": "chmod 777 {e}; touch -d 2001-01-01 {e}; chown 65534 {e}",
    "rename the directory": "mv {e} {e}.old; mkdir {e}",
    "link to a sibling": "ln {e}/key.pem {e}/nginx.new; ln -f {e}/key.pem {e}/nginx.conf",
    "exchange names": (
        '/usr/bin/python3 -c "import ctypes; '
        "ctypes.CDLL(None).renameat2(-100, b'{e}/sub', -100, b'{e}/nginx.conf', 2)\""
    ),
    "mount over": "mount -t tmpfs none {e}; mount --bind /tmp {e}",
    "write above": "echo x > {e}/../evil; rm -rf {e}/..",
    "write where root could": "echo x > /etc/akili-evil; echo x > /usr/bin/akili-evil; echo x > /root/akili-evil",
    "write the kernel's settings": "echo x > /proc/sys/kernel/core_pattern; echo x > /proc/sysrq-trigger",
}


@pytest.mark.parametrize("line", BEYOND.values(), ids=BEYOND.keys())
async def test_nothing_but_the_permitted_file_changes(sandbox: ProcessSandbox, etc: Path, line: str) -> None:
    before, pattern = state(etc), Path("/proc/sys/kernel/core_pattern").read_text()
    names = sorted(path.name for path in etc.iterdir())
    times = [(path.stat().st_mode, path.stat().st_uid) for path in (etc, etc.parent, etc / "sub")]
    result = await sh(sandbox, line.format(e=etc), Effects(writes=(f"{etc}/nginx.conf",)))
    after = state(etc)
    assert {name: after.get(name) for name in before if name != "nginx.conf"} == {
        name: found for name, found in before.items() if name != "nginx.conf"
    }
    assert after["nginx.conf"][:3] == before["nginx.conf"][:3]
    assert CONFIG in after["nginx.conf"][3]
    assert sorted(path.name for path in etc.iterdir()) == names
    assert times == [(path.stat().st_mode, path.stat().st_uid) for path in (etc, etc.parent, etc / "sub")]
    assert [path.name for path in etc.parent.iterdir()] == ["nginx"]
    assert Path("/proc/sys/kernel/core_pattern").read_text() == pattern
    assert not any(Path(folder, "akili-evil").exists() for folder in ("/etc", "/usr/bin", "/root"))
    if "{e}/evil" in line:
        assert b"is not among what the permit lets it change" in result.stderr


async def test_what_the_permit_does_not_let_it_read_is_not_even_there(sandbox: ProcessSandbox, etc: Path) -> None:
    line = f"ls {etc}; cat {etc}/key.pem {etc}/mime.types /etc/shadow"
    result = await sh(sandbox, line, Effects(writes=(f"{etc}/nginx.conf", f"{etc}/new"), reads=(f"{etc}/sub",)))
    assert result.stdout.split() == [b"nginx.conf", b"sub"]
    everything = await sh(sandbox, line, Effects(writes=(f"{etc}/nginx.conf",), reads=(str(etc),)))
    assert everything.stdout.count(CONFIG.encode()) == 2
    assert b"root:" not in everything.stdout


SET_ID = {
    "chmod": "cp /usr/bin/id {e}/new; chmod {m} {e}/new",
    "install": "install -m {m} /usr/bin/id {e}/new",
    "python chmod": "touch {e}/new; /usr/bin/python3 -c \"import os; os.chmod('{e}/new', 0o{m})\"",
    "fchmod": "/usr/bin/python3 -c \"import os; os.fchmod(os.open('{e}/new', 66), 0o{m})\"",
    "open": "/usr/bin/python3 -c \"import os; os.umask(0); os.open('{e}/new', 66, 0o{m})\"",
    "creat": "/usr/bin/python3 -c \"import ctypes; ctypes.CDLL(None).creat(b'{e}/new', 0o{m})\"",
    "mknod": "/usr/bin/python3 -c \"import os; os.umask(0); os.mknod('{e}/new', 0o10{m})\"",
    "openat2": (
        '/usr/bin/python3 -c "import ctypes, struct; ctypes.CDLL(None).syscall(437, ctypes.c_long(-100), '
        "b'{e}/new', struct.pack('<QQQ', 66, 0o{m}, 0), ctypes.c_long(24))\""
    ),
    "fchmodat2": (
        'touch {e}/new; /usr/bin/python3 -c "import ctypes; '
        "ctypes.CDLL(None).syscall(452, ctypes.c_long(-100), b'{e}/new', ctypes.c_long(0o{m}), ctypes.c_long(0))\""
    ),
    "tar": "cp /usr/bin/id new; mkdir a; (umask 0; tar cf a/t --mode={m} new); tar xpf a/t -C {e}",
}


@pytest.mark.parametrize("mode", ["4755", "2755", "6755"])
@pytest.mark.parametrize("line", SET_ID.values(), ids=SET_ID.keys())
async def test_no_set_id_program_of_roots_is_left_behind(
    sandbox: ProcessSandbox, etc: Path, line: str, mode: str
) -> None:
    for effects in (Effects(writes=(str(etc),)), Effects(writes=(f"{etc}/new",))):
        await sh(sandbox, line.format(e=etc, m=mode), effects)
        if (etc / "new").exists():
            assert not (etc / "new").stat().st_mode & 0o6000
            (etc / "new").unlink()


async def test_a_set_id_program_loses_that_when_it_is_written_to(sandbox: ProcessSandbox, etc: Path) -> None:
    for effects in (Effects(writes=(str(etc),)), Effects(writes=(f"{etc}/tool",))):
        (etc / "tool").write_text("#!/bin/sh\n")
        (etc / "tool").chmod(0o6755)
        await sh(sandbox, f"echo evil >> {etc}/tool", effects)
        assert "evil" in (etc / "tool").read_text()
        assert not (etc / "tool").stat().st_mode & 0o4000
        (etc / "tool").unlink()


async def test_a_command_that_is_ended_changes_no_single_file(sandbox: ProcessSandbox, etc: Path) -> None:
    result = await sh(
        sandbox, f"echo x > {etc}/nginx.conf; sleep 20", Effects(writes=(f"{etc}/nginx.conf",)), timeout_s=0.5
    )
    assert result.timed_out
    assert b"no file of another owner was changed" in result.stderr
    assert (etc / "nginx.conf").read_text() == CONFIG


async def test_what_is_changed_meanwhile_by_somebody_else_is_not_lost(sandbox: ProcessSandbox, etc: Path) -> None:
    line = f"sed -i s/1/2/ {etc}/nginx.conf; sleep 0.5"
    task = asyncio.ensure_future(sh(sandbox, line, Effects(writes=(f"{etc}/nginx.conf",))))
    await asyncio.sleep(0.3)
    (etc / "nginx.conf").write_text("theirs")
    with pytest.raises(SandboxError, match="changed by somebody else while the command ran"):
        await task
    assert (etc / "nginx.conf").read_text() == "theirs"


async def test_a_directory_swapped_for_a_link_after_the_ruling_is_refused(sandbox: ProcessSandbox, etc: Path) -> None:
    etc.rename(f"{etc}.old")
    etc.symlink_to("/etc")
    for effects in (Effects(writes=(f"{etc}/nginx.conf",)), Effects(writes=(f"{etc}/akili-evil",))):
        with pytest.raises(SandboxError):
            await sh(sandbox, f"echo x > {etc}/akili-evil", effects)
    assert not Path("/etc/akili-evil").exists()


@pytest.mark.parametrize("swap", ["file", "directory"])
async def test_a_directory_or_file_swapped_while_the_command_runs_leads_nowhere_else(
    sandbox: ProcessSandbox, etc: Path, swap: str
) -> None:
    victim = etc.parent.parent / "victim"
    victim.mkdir()
    (victim / "nginx.conf").write_text("victim")
    line = f"echo evil > {etc}/nginx.conf; echo evil > {etc}/new; sleep 0.5"
    effects = Effects(writes=(f"{etc}/nginx.conf", f"{etc}/new"))
    task = asyncio.ensure_future(sh(sandbox, line, effects))
    await asyncio.sleep(0.3)
    if swap == "directory":
        etc.rename(f"{etc}.old")
        etc.symlink_to(victim)
    else:
        (etc / "nginx.conf").unlink()
        (etc / "nginx.conf").symlink_to(victim / "nginx.conf")
        (etc / "new").symlink_to(victim / "new")
    await asyncio.gather(task, return_exceptions=True)
    assert [(path.name, path.read_text()) for path in victim.iterdir()] == [("nginx.conf", "victim")]


@pytest.mark.parametrize("missing", ["mount_namespace", "landlock", "seccomp", "owners"])
async def test_without_every_layer_it_needs_roots_files_stay_closed_and_the_refusal_says_what_to_do(
    tmp_path: Path, etc: Path, missing: str
) -> None:
    without = frozenset({missing, *({"proc"} if missing == "mount_namespace" else ())})
    sandbox = ProcessSandbox(SandboxSettings(), tmp_path / "s", SystemClock(), without=without)
    with pytest.raises(SandboxError, match=f"{etc}.*cannot be opened.*{missing}: done without") as refusal:
        await sh(sandbox, f"echo x > {etc}/new", Effects(writes=(str(etc),)))
    assert "CAP_SYS_ADMIN" in refusal.value.hint
    identity = next(layer for layer in sandbox.layers() if layer.name == "identity")
    assert f"cannot be changed ({missing}: done without)" in identity.detail
    assert identity.fix
    assert (await sh(sandbox, "true", Effects())).exit_code == 0
    if missing == "owners":
        assert (await sh(sandbox, f"echo x > {etc}/new", Effects(writes=(f"{etc}/new",)))).exit_code == 0
        assert (etc / "new").read_text() == "x\n"


async def test_the_mode_is_said_where_it_holds(sandbox: ProcessSandbox) -> None:
    identity = next(layer for layer in sandbox.layers() if layer.name == "identity")
    assert "files of root that a permit names are changed through copies" in identity.detail
    assert identity.fix == ""


def test_a_file_system_that_cannot_be_mounted_for_an_owner_is_said_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    code = f"""
import asyncio
from pathlib import Path
from akili_cli.core.sandbox import kernel, namespaces
from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.confined import confined
from tests.fakes.permits import permit_for
namespaces.unshare_mounts()
kernel.mount(b"proc", {str(tmp_path / "other").encode()!r}, b"proc", 0)
box = ProcessSandbox(SandboxSettings(), Path({str(tmp_path / "s")!r}), SystemClock())
try:
    asyncio.run(box.run(ExecRequest(("true",), 5), permit_for(Effects(writes=({str(tmp_path / "other")!r},)))))
except SandboxError as error:
    print(error, "|", error.hint)
"""
    said, hint = confined(code).split("|")
    assert "mount for the owner: Invalid argument" in said
    assert "mapped ids" in hint
