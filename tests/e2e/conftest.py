from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import pytest

ROOT = Path(__file__).parents[2]
PROMPT = "akili>"


@dataclass
class Akili:
    """Runs the installed akili in a home and a directory of its own, as a process or in a terminal."""

    home: Path
    cwd: Path
    env: dict[str, str]
    terminals: list[pexpect.spawn[str]] = field(default_factory=list)

    @property
    def workspace(self) -> Path:
        return self.home / ".akili"

    def configure(self, config: Mapping[str, Any]) -> None:
        self.workspace.mkdir(mode=0o700, exist_ok=True)
        path = self.workspace / "config.json"
        path.write_text(json.dumps(config))
        path.chmod(0o600)

    def use_model(self, url: str, **more: Any) -> None:
        stub = {"kind": "openai_compatible", "model": "m", "base_url": url, "price": {"free": True}}
        self.configure(
            {"providers": {"default": "stub", "stub": stub}, "tools": {"file": {"allowed_paths": ["."]}}, **more}
        )

    def run(self, *arguments: str, given: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "akili_cli", *arguments],
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=50,
            cwd=self.cwd,
            env={**self.env, **env},
            check=False,
        )

    def terminal(self, *arguments: str, **env: str) -> pexpect.spawn[str]:
        child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable,
            ["-m", "akili_cli", *arguments],
            cwd=str(self.cwd),
            env={**self.env, **env},
            dimensions=(40, 100),
            encoding="utf-8",
            timeout=20,
        )
        self.terminals.append(child)
        return child

    def prompt(self, **env: str) -> pexpect.spawn[str]:
        child = self.terminal(**env)
        child.expect_exact(PROMPT)
        return child


@pytest.fixture
def akili(tmp_path: Path) -> Iterator[Akili]:
    cwd = tmp_path / "work"
    cwd.mkdir()
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    runner = Akili(
        tmp_path / "home", cwd, {**env, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", "PYTHONPATH": str(ROOT)}
    )
    yield runner
    for child in runner.terminals:
        child.close(force=True)


@pytest.fixture
def stub_model(tmp_path: Path) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], str]]:
    """Start the stub model server as a process with a script; gives its URL."""
    running: list[subprocess.Popen[str]] = []

    def begin(script: Sequence[Mapping[str, Any]]) -> str:
        path = tmp_path / f"script{len(running)}.json"
        path.write_text(json.dumps(list(script)))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.model_server", "--script", str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    yield begin
    for process in running:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
