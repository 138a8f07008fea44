from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from akili_cli.adapters.files.frontmatter import split_front_matter
from akili_cli.features.heartbeats.service import check_files

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "examples").glob("*.yaml"))
HEARTBEATS = sorted((ROOT / "heartbeat-tasks").glob("*.md"))


def test_there_are_examples() -> None:
    assert CONFIGS
    assert HEARTBEATS


@pytest.mark.parametrize("path", [p for p in CONFIGS if "tests" not in p.name], ids=lambda p: p.name)
def test_an_example_configuration_is_accepted(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_text(path.read_text())
    copy.chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-m", "akili_cli", "--config", str(copy), "config", "check"],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.parametrize("path", HEARTBEATS, ids=lambda p: p.name)
def test_a_heartbeat_file_is_valid(path: Path) -> None:
    (file,) = check_files([path])
    assert file.problems == ()
    assert file.tasks


@pytest.mark.parametrize("path", HEARTBEATS, ids=lambda p: p.name)
def test_a_heartbeat_file_has_the_front_matter_of_the_format(path: Path) -> None:
    front = split_front_matter(path.read_text(), source=path.name).front
    assert isinstance(front, dict)
    assert front["enabled"] is False
    assert {"name", "description", "user_id", "default_cron", "default_budget_usd"} <= set(front)
