from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.full_disk_run import MOST_CALLS, TRIES_AFTER
from tests.integration.akili import ROLE

ROOT = Path(__file__).parents[2]
MOUNT = 'mount -t tmpfs -o size=3m,mode=0700 none "$0" && cp "$1" "$0/config.json" && shift && exec "$@"'


def can_mount() -> bool:
    line = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        shutil.which("unshare") is not None and subprocess.run(line, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.parametrize("kind", ["tmpfs", "limit"])
def test_a_full_disk_refuses_every_further_action_and_is_got_over(kind: str, tmp_path: Path) -> None:
    if kind == "tmpfs" and not can_mount():
        pytest.skip("this machine does not let a user mount a file system of their own")
    home, work, config = tmp_path / "home", tmp_path / "work", tmp_path / "config.json"
    (home / ".akili").mkdir(parents=True, mode=0o700)
    work.mkdir()
    role = {**ROLE, "require_approval": [], "max_risk_level": "high"}
    security = {"roles": {"operator": role}, "default_role": "operator"}
    config.write_text(json.dumps({"security": security, "tools": {"file": {"allowed_paths": [str(work)]}}}))
    command = [sys.executable, "-m", "tests.fakes.full_disk_run", kind, str(work)]
    if kind == "tmpfs":
        command = [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT),
            *(str(home / ".akili"), str(config), *command),
        ]
    else:
        shutil.copy(config, home / ".akili" / "config.json")
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert TRIES_AFTER + 2 < said["calls"] < MOST_CALLS
    assert len(said["errors"]) == TRIES_AFTER + 1
    assert all(error.startswith("AuditError: the audit record could not be written") for error in said["errors"]), said
    assert said["problems"] == []
    written = {f"c{name.removeprefix('f')}" for name in said["effects"]}
    assert written <= set(said["intents"])
    assert len(written) in (said["calls"] - TRIES_AFTER - 1, said["calls"] - TRIES_AFTER)
    assert said["interrupted"] == len(said["intents"]) - (said["calls"] - TRIES_AFTER - 1)
