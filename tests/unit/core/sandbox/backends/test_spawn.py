from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.backends.spawn import Zygote
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.permits import permit_for

PERMIT = permit_for(Effects())
TRUE = ExecRequest(("true",), 10)


def sandbox_at(path: Path) -> ProcessSandbox:
    return ProcessSandbox(SandboxSettings(), path, SystemClock())


def is_alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


async def test_nothing_is_started_before_the_first_command(tmp_path: Path) -> None:
    sandbox = sandbox_at(tmp_path)
    assert sandbox._zygote.process_id is None
    await sandbox.run(TRUE, PERMIT)
    process = sandbox._zygote.process_id
    assert process is not None
    assert is_alive(process)
    await sandbox.close()
    assert not is_alive(process)
    assert (await sandbox.run(TRUE, PERMIT)).exit_code == 0
    await sandbox.close()


async def test_it_holds_no_secret_and_no_descriptor_of_akilis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKILI_TEST_SECRET", "leak")
    with open(os.devnull) as file:
        os.set_inheritable(file.fileno(), True)
        sandbox = sandbox_at(tmp_path)
        await sandbox.run(TRUE, PERMIT)
    await asyncio.sleep(0.3)  # the last child's end
    proc = Path(f"/proc/{sandbox._zygote.process_id}")
    environment = {b"PATH=/usr/bin:/bin", b"LANG=C.UTF-8", b"LD_BIND_NOW=1", b""}
    assert set(proc.joinpath("environ").read_bytes().split(b"\0")) == environment
    assert {os.readlink(one).split(":")[0] for one in (proc / "fd").iterdir()} == {
        "/dev/null",
        "socket",
        "anon_inode",
        "pipe",
    }
    await sandbox.close()


async def test_a_killed_zygote_fails_what_runs_and_the_next_command_starts_another(tmp_path: Path) -> None:
    sandbox = sandbox_at(tmp_path)
    await sandbox.run(TRUE, PERMIT)
    running = [asyncio.ensure_future(sandbox.run(ExecRequest(("sleep", "20"), 20), PERMIT)) for _ in range(3)]
    await asyncio.sleep(0.2)
    process = sandbox._zygote.process_id
    assert process is not None
    started = time.monotonic()
    os.kill(process, signal.SIGKILL)
    results = await asyncio.gather(*running, return_exceptions=True)
    assert [type(result) for result in results] == [SandboxError] * 3
    assert time.monotonic() - started < 3
    assert (await sandbox.run(TRUE, PERMIT)).exit_code == 0
    assert sandbox._zygote.process_id != process
    await sandbox.close()


def test_commands_may_come_from_several_threads_and_loops(tmp_path: Path) -> None:
    sandbox = sandbox_at(tmp_path)

    def some(number: int) -> list[bytes]:
        async def run() -> list[bytes]:
            request = ExecRequest(("echo", str(number)), 10)
            return [(await sandbox.run(request, PERMIT)).stdout for _ in range(3)]

        return asyncio.run(run())

    sandbox.layers()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(some, range(4))) == [[b"%d\n" % number] * 3 for number in range(4)]
    asyncio.run(sandbox.close())


def test_a_zygote_that_nobody_holds_any_more_is_ended() -> None:
    zygote = Zygote((), 1)
    null = os.open(os.devnull, os.O_RDWR)
    zygote.hand(b"", (null,) * 4)
    os.close(null)
    process = zygote.process_id
    assert process is not None
    del zygote
    gc.collect()
    assert not is_alive(process)


@pytest.mark.timeout(120)
async def test_many_commands_leave_no_descriptor_no_process_and_no_file(tmp_path: Path) -> None:
    sandbox = sandbox_at(tmp_path)

    async def some(count: int) -> None:
        for _ in range(count):
            assert (await sandbox.run(TRUE, PERMIT)).exit_code == 0

    def held() -> tuple[int, int]:
        zygote = f"/proc/{sandbox._zygote.process_id}"
        return len(os.listdir("/proc/self/fd")), len(os.listdir(f"{zygote}/fd"))

    def size() -> int:
        return int(Path(f"/proc/{sandbox._zygote.process_id}/statm").read_text().split()[1])

    await some(3)
    await asyncio.sleep(0.3)  # the last child's end
    before, pages = held(), size()
    await asyncio.gather(*(some(250) for _ in range(8)))
    async with asyncio.timeout(5):
        while held()[0] > before[0] or held()[1] > before[1]:
            await asyncio.sleep(0.01)
    assert not list(tmp_path.glob("akili-*"))
    assert size() - pages < 512
    await sandbox.close()
