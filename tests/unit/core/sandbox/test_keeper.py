from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from akili_cli.core.sandbox import keeper
from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.permits import permit_for


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_a_namespace_that_nobody_wants_is_not_entered() -> None:
    failed: dict[str, list[bytes]] = {}
    keeper._enter([], failed)
    assert failed == {}


async def test_a_keeper_that_is_killed_fails_its_command_and_no_other(tmp_path: Path) -> None:
    sandbox = ProcessSandbox(SandboxSettings(), tmp_path, SystemClock())
    permit = permit_for(Effects())
    first = asyncio.ensure_future(sandbox.run(ExecRequest(("sleep", "20"), 20), permit))
    await asyncio.sleep(0.2)
    zygote = sandbox._zygote.process_id
    assert zygote is not None
    busy = [one for one in children(zygote) if any(children(inside) for inside in children(one))]
    assert len(busy) == 1
    os.kill(busy[0], signal.SIGKILL)
    with pytest.raises(SandboxError, match="could not be set up"):
        await first
    assert (await sandbox.run(ExecRequest(("true",), 5), permit)).exit_code == 0
    await sandbox.close()
