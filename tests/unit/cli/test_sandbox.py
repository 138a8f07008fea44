from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Say


@pytest.fixture
def open_role(tmp_path: Path) -> Path:
    """A workspace whose default role may run commands of high risk, below a directory every uid can enter."""
    for parent in (tmp_path, *tmp_path.parents):
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    workspace = tmp_path / "home" / ".akili"
    workspace.mkdir(mode=0o700)
    role = {"permissions": ["shell_exec"], "max_risk_level": "high"}
    config = {"security": {"default_role": "prober", "roles": {"prober": role}}}
    (workspace / "config.json").write_text(json.dumps(config))
    (workspace / "config.json").chmod(0o600)
    return tmp_path


def test_a_command_runs_and_all_of_it_is_shown(akili: Say, open_role: Path) -> None:
    said = akili("sandbox", "run", "--json", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert said.code == 1
    assert (said.json["exit_code"], said.json["stdout"], said.json["stderr"]) == (3, "out\n", "err\n")
    assert set(said.json["layers"]) | set(said.json["missing"]) >= {"files", "network", "processes"}
    said = akili("sandbox", "run", "echo", "hello")
    assert (said.code, said.out) == (0, "hello\n")
    assert "exit code 0; layers: " in said.err


def test_a_grant_is_part_of_the_call_that_the_audit_holds(akili: Say, open_role: Path) -> None:
    (open_role / "granted").write_text("granted")
    said = akili("sandbox", "run", "--json", "--read", f"{open_role}/granted", "--", "cat", f"{open_role}/granted")
    assert said.json["stdout"] == "granted"
    record = akili("audit", "search", "sandbox_probe", "--json")
    assert f"{open_role}/granted" in record.out


def test_policy_rules_on_grants_as_on_any_call(akili: Say, open_role: Path) -> None:
    said = akili("sandbox", "run", "--json", "--read", "~/.akili/akili.db", "--", "true")
    assert said.code == 2
    assert said.json["status"] == "denied"
    assert "protected" in said.json["why"]
    assert said.json["layers"] == []


def test_without_the_risk_allowed_it_waits_for_a_human(akili: Say) -> None:
    said = akili("sandbox", "run", "--", "touch", "x")
    assert said.code == 2
    assert "Waiting for approval" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 64),
        (("--net", "nope", "--", "true"), 1),
        (("--timeout", "x", "--", "true"), 1),
        (("--read", "\0", "true"), 64),
    ],
    ids=["nothing", "no host", "no duration", "NUL"],
)
def test_what_makes_no_sense_is_an_error(akili: Say, arguments: tuple[str, ...], code: int) -> None:
    said = akili("sandbox", "run", *arguments)
    assert said.code == code
    assert "Traceback" not in said.err
