from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def akili(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "akili_cli", "grants", *arguments],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("flags", [[], ["--all"]])
def test_without_grants_the_list_is_empty(tmp_path: Path, flags: list[str]) -> None:
    done = akili(tmp_path, "list", *flags)
    assert (done.returncode, done.stdout) == (0, "")
    assert "no grant stands" in done.stderr
    assert json.loads(akili(tmp_path, "list", "--json", *flags).stdout) == []


def test_what_does_not_stand_cannot_be_revoked(tmp_path: Path) -> None:
    done = akili(tmp_path, "revoke", "deadbeef")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no grant 'deadbeef' stands" in done.stderr
