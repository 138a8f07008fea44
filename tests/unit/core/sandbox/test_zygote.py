from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

from akili_cli.core.sandbox import wire, zygote

HEAVY = {"json", "re", "enum", "typing", "pathlib", "signal", "socket", "subprocess", "pydantic", "asyncio"}


def test_the_zygote_loads_nothing_that_makes_every_fork_bigger() -> None:
    path = Path(zygote.__file__)
    code = f"""
import sys
before = set(sys.modules)
path = {str(path)!r}
exec(compile(open(path).read(), path, "exec"), {{"__name__": "zygote", "__file__": path}})
print(*set(sys.modules) - before)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert "akili_cli.core.sandbox.inside" in done.stdout.split()
    assert not HEAVY & set(done.stdout.split())


def start(far: socket.socket) -> subprocess.Popen[bytes]:
    read, write = os.pipe()
    os.close(read)
    argv = [sys.executable, "-I", "-S", zygote.__file__, str(far.fileno()), str(write)]
    process = subprocess.Popen(argv, pass_fds=[far.fileno(), write], stdin=subprocess.DEVNULL)
    os.close(write)
    return process


def test_it_leaves_when_akili_hangs_up() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        near.send(wire.pack({"layers": [], "idle": [b"2"]})[4:])
        process = start(far)
        far.close()
    assert process.wait(5) == 0


def test_it_leaves_when_told_nothing_it_understands() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        near.send(b"nonsense")
        process = start(far)
        assert process.wait(5) == 0


def test_only_children_that_are_not_reaped_yet_are_signalled() -> None:
    calls = []
    for path in Path(zygote.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        calls += [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert sorted(call for call in calls if "kill(" in call) == [
        "os.kill(quarry, _SIGKILL)",
        "os.kill(self._process, _SIGKILL)",
        "self._group.kill()",
        "self._group.kill()",
    ]
