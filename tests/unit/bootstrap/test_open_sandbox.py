from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.bootstrap.app import Start, open_app, open_sandbox, open_state
from akili_cli.core.sandbox.backends.docker import DockerSandbox
from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.backends.seatbelt import SeatbeltSandbox


def start(tmp_path: Path) -> Start:
    home = tmp_path / "home"
    return Start(env={"HOME": str(home), "PATH": os.environ["PATH"]}, cwd=tmp_path)


async def test_without_a_word_commands_are_processes(tmp_path: Path) -> None:
    async with open_state(start(tmp_path)) as state:
        sandbox = open_sandbox(state)
        assert isinstance(sandbox, ProcessSandbox)
        await sandbox.close()


async def test_docker_is_used_when_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text('sandbox: {type: docker, docker: {image: "akili-runtime:latest"}}\n')
    file.chmod(0o600)
    begun = start(tmp_path)
    async with open_state(Start(env=begun.env, cwd=tmp_path, config_path=str(file))) as state:
        assert isinstance(open_sandbox(state), DockerSandbox)


async def test_macos_gets_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    async with open_state(start(tmp_path)) as state:
        assert isinstance(open_sandbox(state), SeatbeltSandbox)


async def test_the_tools_that_change_and_run_are_offered(tmp_path: Path) -> None:
    async with open_state(start(tmp_path)) as state, open_app(state) as app:
        names = {spec.name for spec in app.pipeline.tools.specs()}
    assert {"git_write", "code_exec"} <= names
