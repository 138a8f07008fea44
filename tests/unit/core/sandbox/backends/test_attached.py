from __future__ import annotations

import asyncio

import pytest

from akili_cli.core.sandbox.backends import attached
from akili_cli.core.sandbox.output import HeadTail
from akili_cli.domain.errors import SandboxError

ENV = {"PATH": "/usr/bin:/bin"}


async def test_input_goes_in_and_output_comes_out() -> None:
    out, err = HeadTail(100), HeadTail(100)
    process = await attached.start(("sh", "-c", "cat; echo e >&2"), stdin=True, env=ENV, cwd="/")
    await attached.serve(process, b"data", out, err)
    assert (out.content(), err.content(), process.returncode) == (b"data", b"e\n", 0)


async def test_a_session_that_goes_on_is_ended() -> None:
    process = await attached.start(("sh", "-c", "sleep 30 & sleep 30"), stdin=False, env=ENV, cwd="/")
    await asyncio.wait_for(attached.flush(process, HeadTail(9), HeadTail(9), 0.1), 5)
    assert process.returncode == -9


async def test_what_cannot_start_is_an_error() -> None:
    with pytest.raises(SandboxError, match="nothing-here cannot be started"):
        await attached.start(("/no/nothing-here",), stdin=False, env=ENV, cwd="/")
