from __future__ import annotations

from pathlib import Path

from tests.fakes.policies import BASE, config_file
from tests.unit.cli.conftest import Say

CASES = """\
- {name: looks, tool: file_read, with: {path: /srv/x}, user: vic, verdict: allow}
- {tool: file_read, with: {path: /etc/x}, user: vic, verdict: %s}
"""


def test_cases_that_hold_exit_with_zero(akili: Say, tmp_path: Path) -> None:
    config, cases = config_file(tmp_path, BASE), config_file(tmp_path, CASES % "deny", "cases.yaml")
    said = akili("--config", str(config), "policy", "test", str(cases))
    assert (said.code, said.out, said.err) == (0, "", "2 cases, 0 differ\n")


def test_a_difference_is_shown_with_its_place_and_exits_with_one(akili: Say, tmp_path: Path) -> None:
    config, cases = config_file(tmp_path, BASE), config_file(tmp_path, CASES % "allow", "cases.yaml")
    said = akili("--config", str(config), "policy", "test", str(cases))
    assert said.code == 1
    assert f"{cases}:2: file_read: /etc/x\n  verdict is deny, not allow\n" in said.out
    assert "decided by tools.file.allowed_paths" in said.out
    told = akili("--config", str(config), "policy", "test", "--json", str(cases))
    assert told.code == 1
    assert [case["ok"] for case in told.json] == [True, False]


def test_a_bad_file_is_an_error_with_its_line(akili: Say, tmp_path: Path) -> None:
    said = akili("policy", "test", str(config_file(tmp_path, "- {tool: x, verdct: deny}", "cases.yaml")))
    assert said.code == 1
    assert "cases.yaml:1: verdct: there is no such key" in said.err


def test_the_strict_example_decides_as_its_cases_say(akili: Say) -> None:
    root = Path(__file__).parents[4] / "examples"
    said = akili("--config", str(root / "policy-strict.yaml"), "policy", "test", str(root / "policy-tests.yaml"))
    assert said.code == 0, said.out
