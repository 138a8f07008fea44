"""The sandbox where an engine's filter refuses namespaces and mounts, as Docker's default profile does."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.fakes.confined import confined

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64", reason="the filter here knows the calls of x86_64"
)
UNSHARE, MOUNT, CLONE, CLONE3, SETNS, UMOUNT = 272, 165, 56, 435, 308, 166

CODE = """
    import asyncio, ctypes, errno, json, os, sys
    from pathlib import Path
    from akili_cli.core.sandbox import kernel, privileges, seccomp
    from akili_cli.core.sandbox.backends.process import ProcessSandbox
    from akili_cli.core.sandbox.base import ExecRequest
    from akili_cli.core.sandbox.settings import SandboxSettings
    from akili_cli.domain.clock import SystemClock
    from akili_cli.domain.effects import Effects
    from akili_cli.domain.errors import SandboxError
    from tests.fakes.permits import permit_for

    rules = [({unshare}, [seccomp._DENY]), ({mount}, [seccomp._DENY]), ({umount}, [seccomp._DENY])]
    rules += [({setns}, [seccomp._DENY]), ({clone3}, [seccomp._refuse(errno.ENOSYS)])]
    rules += [({clone}, seccomp._unless_bits(0, seccomp._NEW_NAMESPACES))]
    if {uid}:
        os.setgroups([]); os.setresgid({uid}, {uid}, {uid}); os.setresuid({uid}, {uid}, {uid})
        sys.executable = "/usr/bin/python3"  # the interpreter of the tests may lie in root's home
    privileges.no_new_privileges()
    code = b"".join([seccomp._op(seccomp._LOAD, 0), *seccomp._search(seccomp._ranges(rules))])
    seccomp._compiled[(99,)] = ctypes.create_string_buffer(code)
    seccomp.install((99,))

    def box(**settings):
        return ProcessSandbox(SandboxSettings(**settings), Path({scratch!r}), SystemClock())

    async def tried(sandbox, line, **effects):
        try:
            result = await sandbox.run(ExecRequest(("sh", "-c", line), 10), permit_for(Effects(**effects)))
            return [result.exit_code, result.stdout.decode(), list(result.layers)]
        except SandboxError as error:
            return [str(error), error.hint]

    async def main():
        sandbox = box()
        said = {{layer.name: [layer.active, layer.detail, layer.fix] for layer in sandbox.layers()}}
        print(json.dumps({{
            "said": said,
            "run": await tried(sandbox, "echo fine > f; cat f; setsid sleep 60.5 & exit 3"),
            "read": await tried(sandbox, "cat {secret}"),
            "net": await tried(sandbox, "true", hosts=("example.org:443",)),
            "required": await tried(box(require=("processes",)), "true"),
            "left": any(read(path) == b"sleep\\0" b"60.5\\0" for path in Path("/proc").glob("[0-9]*/cmdline")),
        }}))

    def read(path):
        try:
            return path.read_bytes()
        except OSError:
            return b""

    asyncio.run(main())
"""


@pytest.mark.parametrize("uid", [0, 1000] if os.geteuid() == 0 else [0])
def test_the_best_there_is_holds_and_what_is_lost_is_said(tmp_path_factory: pytest.TempPathFactory, uid: int) -> None:
    folder = tmp_path_factory.mktemp("container")
    for parent in (folder, *folder.parents):
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    (folder / "secret").write_text("canary")
    (folder / "secret").chmod(0o666)
    (folder / "scratch").mkdir()
    if uid:
        os.chown(folder / "scratch", uid, uid)
    calls = {"unshare": UNSHARE, "mount": MOUNT, "umount": UMOUNT, "setns": SETNS, "clone3": CLONE3, "clone": CLONE}
    out = json.loads(
        confined(CODE.format(uid=uid, scratch=str(folder / "scratch"), secret=str(folder / "secret"), **calls))
    )
    said = out["said"]
    assert [name for name, (active, _, _) in said.items() if active] == [
        "files",
        "network",
        "syscalls",
        "limits",
        "identity",
    ]
    assert "no mounts of its own" in said["files"][1]
    assert "permits with hosts are refused" in said["network"][1]
    assert "Operation not permitted" in said["processes"][1]
    assert all("seccomp=unconfined" in said[name][2] for name in ("files", "network", "processes"))
    assert out["run"][:2] == [3, "fine\n"]
    assert "processes" not in out["run"][2]
    assert out["left"] is False
    assert out["read"][0] != 0
    assert "canary" not in out["read"][1]
    assert "hosts cannot be told apart" in out["net"][0]
    assert "'processes' is required and missing" in out["required"][0]
    assert "seccomp=unconfined" in out["required"][1]
    if uid == 0 and os.geteuid() == 0:
        assert "what only root may change cannot be changed" in said["identity"][1]
