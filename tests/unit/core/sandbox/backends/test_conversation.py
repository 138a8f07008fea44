from __future__ import annotations

import asyncio
import sys

import pytest

from akili_cli.core.sandbox.backends.conversation import ask, converse, surely
from akili_cli.domain.errors import SandboxError


async def test_work_that_must_end_ends_although_cancelled() -> None:
    done: list[str] = []
    release = asyncio.Event()

    async def work() -> None:
        await release.wait()
        done.append("done")

    task = asyncio.ensure_future(surely(work()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["done"]


async def test_the_result_of_such_work_comes_back() -> None:
    async def work() -> int:
        return 7

    assert await surely(work()) == 7


async def test_a_launcher_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(SandboxError, match="cannot be started"):
        await converse({}, stdin=b"", cap_bytes=1024, timeout_s=1, owner=None)
    with pytest.raises(SandboxError, match="cannot be started"):
        ask({})


async def test_a_launcher_that_breaks_says_so_on_stderr_and_reports_nothing() -> None:
    outcome = await converse({}, stdin=b"x", cap_bytes=4096, timeout_s=5, owner=None)
    assert outcome.fields == {}
    assert b"KeyError" in outcome.stderr
