"""Akili killed at twenty random moments, with eight commands under way that do all they can to stay."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")
TIMES = 20

# Whatever loses its parent becomes a child of this process: none can get away unseen.
ADOPT = """
    import asyncio, os, random, select, signal, sys, time
    from pathlib import Path
    from akili_cli.core.sandbox import kernel, tree
    from akili_cli.core.sandbox.backends.process import ProcessSandbox
    from akili_cli.core.sandbox.base import ExecRequest
    from akili_cli.core.sandbox.settings import SandboxSettings
    from akili_cli.domain.clock import SystemClock
    from akili_cli.domain.effects import Effects
    from tests.fakes.permits import permit_for

    LINES = (
        "true", "sleep 0.02", "sleep 60",
        "setsid sleep 60 & (setsid sleep 60 &) & exit 0", "trap '' TERM HUP; sleep 60",
        "kill -STOP $$",
        "while :; do setsid sleep 0.01 & sleep 0.01; done", "for i in 1 2 3; do sh -c 'sleep 60 &' & done",
    )

    def akili(folder, without, ready):
        box = ProcessSandbox(SandboxSettings(), folder, SystemClock(), without=without)

        async def some(line):
            while True:
                await box.run(ExecRequest(("sh", "-c", line), 60), permit_for(Effects()))

        async def all_of_them():
            box.layers()
            os.write(ready, b"x")
            await asyncio.gather(*map(some, LINES))

        asyncio.run(all_of_them())

    def ended(within_s):
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            try:
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    time.sleep(0.002)
            except ChildProcessError:
                return True
        return False

    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    folder, without, times = Path(sys.argv[1]), frozenset(sys.argv[2].split()), int(sys.argv[3])
    dice, most, slowest = random.Random(int(sys.argv[4])), 0, 0.0
    for _ in range(times):
        near, far = os.pipe()
        victim = os.fork()
        if victim == 0:
            try:
                akili(folder, without, far)
            finally:
                os._exit(1)
        os.close(far)
        assert os.read(near, 1) == b"x"
        os.close(near)
        time.sleep(dice.random() * 0.4)
        most = max(most, len(tree.descendants(victim)))
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        if not ended(5.0):
            left = [Path(f"/proc/{process}/cmdline").read_bytes() for process in tree.descendants(os.getpid())]
            sys.exit(f"still there: {left}")
        slowest = max(slowest, time.monotonic() - began)
    print(most, round(slowest, 3))
"""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("without", ["", "pid_namespace proc"], ids=["PID namespace", "hunted down"])
def test_nothing_survives_akili_at_whatever_moment_it_is_killed(tmp_path: Path, without: str) -> None:
    folder = tmp_path / "scratch"
    argv = [sys.executable, "-c", textwrap.dedent(ADOPT), str(folder), without, str(TIMES), "20"]
    done = subprocess.run(argv, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 20, "there was hardly anything to survive"
    ProcessSandbox(SandboxSettings(), folder, SystemClock())
    assert list(folder.iterdir()) == [], "the next start removes what was left"
