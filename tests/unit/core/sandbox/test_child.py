from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from tests.fakes.permits import permit_for


def children(process: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:  # gone meanwhile
        return []


async def test_a_child_that_is_killed_fails_its_command_and_no_other(tmp_path: Path) -> None:
    sandbox = ProcessSandbox(SandboxSettings(), tmp_path, SystemClock())
    permit = permit_for(Effects())
    first = asyncio.ensure_future(sandbox.run(ExecRequest(("sleep", "20"), 20), permit))
    busy: list[int] = []
    async with asyncio.timeout(10):
        while not busy:
            await asyncio.sleep(0.01)
            zygote = sandbox._zygote.process_id
            busy = [one for one in children(zygote) if children(one)] if zygote is not None else []
    assert len(busy) == 1
    os.kill(busy[0], signal.SIGKILL)
    ended = await first
    assert ended.exit_code == -9
    assert b"the first process inside was killed" in ended.stderr
    assert (await sandbox.run(ExecRequest(("true",), 5), permit)).exit_code == 0
    await sandbox.close()


async def test_without_a_namespace_what_is_left_is_hunted_down_also_when_akili_hangs_up(tmp_path: Path) -> None:
    without = frozenset({"pid_namespace", "proc"})
    sandbox = ProcessSandbox(SandboxSettings(), tmp_path, SystemClock(), without=without)
    permit = permit_for(Effects())
    line = "setsid sleep 31.7 & setsid sh -c 'sleep 31.7' & exit 3"
    result = await sandbox.run(ExecRequest(("sh", "-c", line), 10), permit)
    assert result.exit_code == 3
    assert "processes" not in result.layers
    task = asyncio.ensure_future(sandbox.run(ExecRequest(("sh", "-c", f"{line} | sleep 31.7"), 30), permit))
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.wait([task])
    assert not [one for one in Path("/proc").glob("[0-9]*/cmdline") if b"31.7" in read(one)]
    await sandbox.close()


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
