from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Layer
from akili_cli.core.sandbox.watched import WatchedSandbox, noting_executions
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.clock import FakeClock
from tests.fakes.permits import permit_for
from tests.fakes.tracing import RememberingTracer


class Given:
    """A sandbox that gives what it was told to."""

    def __init__(self, result: ExecResult | SandboxError) -> None:
        self.result = result
        self.closed = False

    async def run(self, _request: ExecRequest, _permit: Permit) -> ExecResult:
        await asyncio.sleep(0)
        if isinstance(self.result, SandboxError):
            raise self.result
        return self.result

    def layers(self) -> tuple[Layer, ...]:
        return (Layer("landlock", True, "keeps files"),)

    async def close(self) -> None:
        self.closed = True


def result(code: int = 0, *, timed_out: bool = False) -> ExecResult:
    return ExecResult(code, b"", b"", 0.25, timed_out=timed_out, layers=("landlock",))


async def ran(given: ExecResult | SandboxError) -> tuple[list[dict[str, object]], RememberingTracer]:
    tracer = RememberingTracer()
    sandbox = WatchedSandbox(Given(given), "process", tracer, FakeClock())
    with noting_executions() as found, contextlib.suppress(SandboxError):
        await asyncio.create_task(sandbox.run(ExecRequest(("ls",), 1), permit_for(Effects())))
    return [one.as_dict() for one in found], tracer


@pytest.mark.parametrize(
    ("given", "status"),
    [(result(), "success"), (result(3), "nonzero_exit"), (result(-9, timed_out=True), "timeout")],
    ids=["success", "nonzero", "timeout"],
)
async def test_each_command_is_noted_with_its_end(given: ExecResult, status: str) -> None:
    found, tracer = await ran(given)
    assert found == [{"type": "process", "status": status, "exit_code": given.exit_code, "duration_s": 0.25}]
    assert tracer.names() == ["sandbox.execute"]
    assert tracer.spans[0].attributes["process.exit.code"] == given.exit_code


async def test_a_layer_that_is_missing_is_an_error_of_the_sandbox() -> None:
    found, _ = await ran(SandboxError("no landlock"))
    assert found == [{"type": "process", "status": "error", "duration_s": 0.0}]


async def test_commands_of_calls_side_by_side_are_told_apart_and_nobody_needs_to_look(tmp_path: Path) -> None:
    sandbox = WatchedSandbox(Given(result()), "process", RememberingTracer(), FakeClock())

    async def call(times: int) -> int:
        with noting_executions() as found:
            for _ in range(times):
                await sandbox.run(ExecRequest(("ls",), 1), permit_for(Effects()))
        return len(found)

    assert await asyncio.gather(call(1), call(3), call(2)) == [1, 3, 2]
    await sandbox.run(ExecRequest(("ls",), 1), permit_for(Effects()))


async def test_the_rest_is_the_sandboxs_own() -> None:
    inner = Given(result())
    sandbox = WatchedSandbox(inner, "process", RememberingTracer(), FakeClock())
    assert [layer.name for layer in sandbox.layers()] == ["landlock"]
    await sandbox.close()
    assert inner.closed
