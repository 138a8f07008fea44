from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator

import pytest

from akili_cli.core.sandbox.backends.conversation import ask, converse, surely
from akili_cli.core.sandbox.backends.spawn import Zygote
from akili_cli.core.sandbox.backends.staged import Staging
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


PLAIN = {"owner": None, "door": None, "staging": Staging((), max_file_bytes=0, max_bytes=0)}
HEADER = {
    "timeout_ms": [b"5000"],
    "memory_bytes": [b"100000000"],
    "cpu_s": [b"9"],
    "disk_bytes": [b"9"],
    "writable": [],
}


async def test_a_zygote_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(SandboxError, match="cannot be started"):
        await converse(Zygote((), 1), HEADER, stdin=b"x", cap_bytes=1024, timeout_s=1, **PLAIN)
    with pytest.raises(SandboxError, match="cannot be started"):
        ask(Zygote((), 1), HEADER)


async def test_a_first_process_that_breaks_is_reported_as_an_error(zygote: Zygote) -> None:
    outcome = await converse(zygote, HEADER, stdin=b"x", cap_bytes=4096, timeout_s=5, **PLAIN)
    assert outcome.fields["error"] == [b"the first process inside broke"]


async def test_a_zygote_that_breaks_gives_no_fields(zygote: Zygote) -> None:
    limits = {**HEADER, "timeout_ms": [b"soon"]}
    outcome = await converse(zygote, limits, stdin=b"x", cap_bytes=4096, timeout_s=5, **PLAIN)
    assert outcome.fields == {}


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    zygote = Zygote(("pid_namespace",), 1) if os.geteuid() == 0 else Zygote((), 1)
    yield zygote
    zygote.close()
