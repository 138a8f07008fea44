from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.seatbelt import SeatbeltSandbox
from akili_cli.core.sandbox.base import ExecRequest
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError
from tests.fakes.permits import permit_for

NOTHING = permit_for(Effects())


def sandbox(tmp_path: Path, **settings: object) -> SeatbeltSandbox:
    """Over a program that keeps the profile it is given and runs the rest unconfined."""
    program = tmp_path / "sandbox-exec"
    program.write_text(f'#!/bin/sh\n[ "$1" = -p ] || exit 9\nprintf %s "$2" > {tmp_path}/profile\nshift 2\nexec "$@"\n')
    program.chmod(0o755)
    checked = SandboxSettings.model_validate(settings)
    return SeatbeltSandbox(checked, tmp_path / "scratch", SystemClock(), program=program)


def shell(line: str, timeout_s: float = 10, **more: object) -> ExecRequest:
    return ExecRequest(("sh", "-c", line), timeout_s, **more)  # type: ignore[arg-type]


async def test_a_command_runs_under_a_profile_and_limits(tmp_path: Path) -> None:
    request = shell("cat; cat a; ulimit -t; ulimit -n; exit 3", stdin=b"fed ", files={"a": b"file\n"})
    result = await sandbox(tmp_path).run(request, NOTHING)
    assert (result.exit_code, result.stdout.split()) == (3, [b"fed", b"file", b"60", b"1024"])
    assert result.layers == ("files", "network")
    assert (tmp_path / "profile").read_text().startswith("(version 1)\n(deny default)\n")
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_the_environment_is_the_sandboxs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKILI_TEST_SECRET", "leak")
    assert b"leak" not in (await sandbox(tmp_path).run(shell("env"), NOTHING)).stdout


async def test_a_timeout_ends_the_group(tmp_path: Path) -> None:
    result = await sandbox(tmp_path).run(shell("echo first; sleep 30 & sleep 30", 0.4), NOTHING)
    assert (result.timed_out, result.exit_code, result.stdout) == (True, -9, b"first\n")
    assert result.duration_s < 3


async def test_closing_ends_what_runs(tmp_path: Path) -> None:
    place = sandbox(tmp_path)
    task = asyncio.ensure_future(place.run(shell("sleep 30", 30), NOTHING))
    while not (tmp_path / "profile").exists():
        await asyncio.sleep(0.02)
    await place.close()
    assert task.cancelled()
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_the_profile_refuses_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no network"):
        await sandbox(tmp_path).run(shell("true"), permit_for(Effects(hosts=("a:1",))))
    assert not (tmp_path / "profile").exists()


def test_layers_say_what_macos_lacks_and_that_nobody_tried(tmp_path: Path) -> None:
    layers = {layer.name: layer for layer in sandbox(tmp_path).layers()}
    assert [name for name, layer in layers.items() if layer.active] == ["files", "network"]
    assert "untested on a live macOS" in layers["files"].detail


@pytest.mark.parametrize("require", ["processes", "syscalls", "limits", "identity"])
async def test_a_required_layer_that_macos_lacks_stops_everything(tmp_path: Path, require: str) -> None:
    with pytest.raises(SandboxError, match=f"'{require}' is required"):
        await sandbox(tmp_path, require=[require]).run(shell("true"), NOTHING)


async def test_without_sandbox_exec_nothing_runs(tmp_path: Path) -> None:
    place = SeatbeltSandbox(SandboxSettings(), tmp_path / "s", SystemClock(), program=tmp_path / "none")
    with pytest.raises(SandboxError, match="'files' is required and missing"):
        await place.run(shell("true"), NOTHING)


@pytest.mark.parametrize(
    "request_",
    [ExecRequest((), 5), ExecRequest(("a\0",), 5), ExecRequest(("a",), 0), ExecRequest(("a",), 5, env={"=": ""})],
    ids=["empty", "nul", "no-time", "no-name"],
)
async def test_a_request_that_makes_no_sense_is_refused(tmp_path: Path, request_: ExecRequest) -> None:
    with pytest.raises(SandboxError):
        await sandbox(tmp_path).run(request_, NOTHING)
