"""Real git repositories for tests, made without anybody's own configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def git(where: Path, *args: str, check: bool = True) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    person = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "safe.directory=*")
    local = ("-c", "protocol.file.allow=always")
    done = subprocess.run(["git", *person, *local, *args], cwd=where, env=env, check=check, capture_output=True)
    return done.stdout.decode()


def make_repository(where: Path, *, files: tuple[str, ...] = ("a.txt", "sub/b.txt")) -> Path:
    """Two commits on main, which change every file, and a branch feature at the second."""
    where.mkdir(parents=True, exist_ok=True)
    git(where, "init", "-q", "-b", "main")
    for text in ("first", "second"):
        for name in files:
            (where / name).parent.mkdir(exist_ok=True)
            (where / name).write_text(f"{text}\n")
        git(where, "add", ".")
        git(where, "commit", "-qm", text)
    git(where, "branch", "feature")
    return where
