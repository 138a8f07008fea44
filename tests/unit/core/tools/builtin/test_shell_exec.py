from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from akili_cli.core.sandbox.base import ExecRequest, ExecResult, Layer
from akili_cli.core.tools.builtin.shell_exec import ShellArgs, ShellExec
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import InvalidArgumentsError
from tests.fakes.permits import permit_for


class BareSandbox:
    """Runs without confinement: enough to see what the tool asks for."""

    async def run(self, request: ExecRequest, permit: Permit) -> ExecResult:
        start = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *request.argv, cwd=request.cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), request.timeout_s)
        except TimeoutError:
            process.kill()
            await process.communicate()
            return ExecResult(-9, b"", b"", time.monotonic() - start, timed_out=True)
        return ExecResult(process.returncode or 0, out, err, time.monotonic() - start, layers=("files",))

    def layers(self) -> tuple[Layer, ...]:
        return ()

    async def close(self) -> None:
        return None


def tool(*allowed: Path) -> ShellExec:
    return ShellExec(BareSandbox(), [str(path) for path in allowed], 30, "/home/op")


async def run(command: str, **more: str) -> ToolOutput:
    one, args = tool(), ShellArgs(command=command, **more)
    return await one.run(args, permit_for(one.effects(args)))


async def test_output_and_exit_code_are_reported() -> None:
    output = await run("echo out; echo err >&2")
    assert output.text == "out\n[stderr]\nerr"
    assert output.ok
    assert output.metadata["exit_code"] == 0
    assert output.metadata["layers"] == ["files"]
    assert output.untrusted == "output of shell_exec"


async def test_a_failed_command_is_a_result_that_says_so() -> None:
    output = await run("exit 3")
    assert not output.ok
    assert "exit code 3" in output.text


async def test_a_missing_program_is_named_as_such() -> None:
    assert "not found in the sandbox" in (await run("no-such-program-here")).text


async def test_a_timeout_is_a_result_that_says_so() -> None:
    output = await run("exec sleep 20", timeout="100ms")
    assert output.timed_out
    assert not output.ok
    assert "timeout of 0.1 s" in output.text


def test_files_in_the_scratch_directory_of_the_run_are_no_effects() -> None:
    effects = tool().effects(ShellArgs(command="df > out; cat out /etc/hosts; rm out"))
    assert (effects.writes, effects.deletes) == ((), ())
    assert "/etc/hosts" in effects.reads
    assert not any("scratch" in path for path in effects.reads)


def test_a_working_directory_inside_is_where_paths_start(tmp_path: Path) -> None:
    effects = tool(tmp_path).effects(ShellArgs(command="cat x", working_dir=str(tmp_path)))
    assert effects.reads == (str(tmp_path.resolve() / "x"), str(tmp_path.resolve()))


@pytest.mark.parametrize(
    "given", ["relative", "/no/such/dir", "/etc", "{tmp}/allowed-not", "{tmp}/allowed/link", "{tmp}/allowed/.."]
)
def test_a_working_directory_outside_is_refused(given: str, tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed-not").mkdir()
    (tmp_path / "allowed" / "link").symlink_to("/etc")
    args = ShellArgs(command="ls", working_dir=given.format(tmp=tmp_path))
    with pytest.raises(InvalidArgumentsError):
        tool(tmp_path / "allowed").effects(args)


@pytest.mark.parametrize("timeout", ["0s", "-1s", "31s", "1h", "soon", "10"])
def test_a_timeout_that_is_no_duration_or_too_long_is_refused(timeout: str) -> None:
    with pytest.raises(InvalidArgumentsError):
        tool().effects(ShellArgs(command="ls", timeout=timeout))


@pytest.mark.parametrize("command", ["", "x" * 100_001], ids=["empty", "too long"])
def test_a_command_of_no_or_endless_length_does_not_fit_the_schema(command: str) -> None:
    with pytest.raises(ValidationError):
        ShellArgs(command=command)


def test_a_blank_command_is_refused() -> None:
    with pytest.raises(InvalidArgumentsError):
        tool().effects(ShellArgs(command=" \n"))
