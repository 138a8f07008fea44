"""Runs the command line as a process of its own, in a home of its own.

``run`` forks one that has imported akili already (see ``nursery``); ``start`` and ``shell`` begin from nothing, and so
does ``run`` where Python reads the environment itself.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.integration.nursery import Nursery

READ_BY_PYTHON = ("PYTHON", "LC_", "LANG")
PLAIN = {"LANG": "C.UTF-8", "TZ": "UTC", "PYTHONWARNINGS": "error"}
LIMIT_S = 40
ROLE = {
    "permissions": ["read_files", "shell_exec", "write_files", "git_read", "web_search"],
    "max_risk_level": "medium",
    "require_approval": ["write_files"],
}
BASE: dict[str, Any] = {
    "security": {"roles": {"operator": ROLE}, "default_role": "operator"},
    "tools": {"file": {"allowed_paths": ["."]}},
}


@functools.cache
def nursery() -> Nursery:
    return Nursery({**PLAIN, "PATH": os.environ["PATH"], "HOME": "/nonexistent"})


class Akili:
    """One workspace: ``home/.akili``; commands start in ``work``."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "akili-home"
        self.work = directory / "work"
        for place in (self.home, self.work):
            place.mkdir(mode=0o700)
        self.workspace = self.home / ".akili"

    def configure(self, *, model_url: str = "", price: Mapping[str, Any] | None = None, **sections: Any) -> None:
        """Write the user's config; with ``model_url`` the model is a server of the test's."""
        config = {**BASE, **sections}
        if model_url:
            provider = {"kind": "openai_compatible", "base_url": f"{model_url}/v1", "model": "stub"}
            config["providers"] = {
                "default": "stub",
                "stub": {**provider, **({"price": {"free": True} if price is None else price} if price != {} else {})},
            }
        self.workspace.mkdir(mode=0o700, exist_ok=True)
        (self.workspace / "config.json").write_text(json.dumps(config))

    def environment(self, **more: str) -> dict[str, str]:
        return {**PLAIN, "PATH": os.environ["PATH"], "HOME": str(self.home), **more}

    def start(self, *arguments: str, env: Mapping[str, str] = {}, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "akili_cli", *arguments],
            cwd=options.pop("cwd", self.work),
            env=self.environment(**env),
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def run(
        self, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] = {}, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end; it has no terminal, and without ``stdin`` no input."""
        if any(name.startswith(READ_BY_PYTHON) for name in env):
            code, out, err = self._from_nothing(*arguments, stdin=stdin, env=env)
        else:
            environment = self.environment(**env)
            code, out, err = nursery().run(arguments, environment, cwd or self.work, stdin, LIMIT_S)
        assert b"Traceback" not in out + err, (out + err).decode()
        assert b"\x1b" not in out + err, out + err
        return subprocess.CompletedProcess(arguments, code, out, err)

    def _from_nothing(self, *arguments: str, stdin: bytes | None, env: Mapping[str, str]) -> tuple[int, bytes, bytes]:
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        process = self.start(*arguments, env=env, stdin=source)
        try:
            out, err = process.communicate(stdin, timeout=LIMIT_S)
        finally:
            process.kill()
            process.wait()
        return process.returncode, out, err

    def shell(self, line: str, **env: str) -> subprocess.CompletedProcess[bytes]:
        """Run a line of sh in which ``$AKILI`` is the command."""
        command = f"{sys.executable} -m akili_cli"
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.work,
            env=self.environment(AKILI=command, **env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert b"Traceback" not in done.stdout + done.stderr, (done.stdout + done.stderr).decode()
        return done

    def json(self, *arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
        done = self.run(*arguments, "--json", **options)
        lines = done.stdout.decode().splitlines()
        assert len(lines) == 1, done
        return done.returncode, json.loads(lines[0])


def only(items: Sequence[Any]) -> Any:
    (item,) = items
    return item
