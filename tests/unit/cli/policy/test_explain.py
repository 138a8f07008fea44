from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.policies import BASE, config_file
from tests.unit.cli.conftest import Say


@pytest.fixture
def config(tmp_path: Path) -> str:
    return str(config_file(tmp_path, BASE))


def test_a_command_line_is_explained_and_not_run(akili: Say, config: str, tmp_path: Path) -> None:
    said = akili("--config", config, "policy", "explain", "--user", "ann", "--", "touch", str(tmp_path / "x y"))
    assert said.code == 0
    assert said.out.startswith("ask\n")
    assert f"runs touch '{tmp_path}/x y'" in said.out
    assert f"role:operator/max_risk_level ({config}:4)" in said.out
    assert "without role:operator/max_risk_level: allow (by role:operator/permissions)" in said.out
    assert not (tmp_path / "x y").exists()


def test_one_quoted_text_is_a_whole_command_line(akili: Say, config: str) -> None:
    told = akili("--config", config, "policy", "explain", "--json", "--user", "ann", "df -h | head -1").json
    assert told["verdict"] == "allow"
    assert told["effects"]["commands"] == [["df", "-h"], ["head", "-1"]]


def test_another_tool_takes_arguments_as_json_or_text(akili: Say, config: str) -> None:
    told = akili(
        *("--config", config, "policy", "explain", "--json", "--tool", "file_read"),
        *("--arg", "path=/srv/x", "--arg", "offset=7", "--user", "vic", "--source", "repl", "--agent", "bot"),
    ).json
    assert (told["verdict"], told["user"], told["role"], told["source"], told["agent"]) == (
        *("allow", "vic", "viewer", "repl", "bot"),
    )


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--read-only",), "read-only-mode"),
        (("--user", "nobody-knows"), "no-role"),
        (("--untrusted", "stdin"), "critical-always-asks"),
    ],
)
def test_circumstances_count(akili: Say, config: str, options: tuple[str, ...], rule: str) -> None:
    told = akili("--config", config, "policy", "explain", "--json", "--user", "ann", *options, "kill 1").json
    assert told["rules"][0]["id"] == rule


def test_a_default_denial_shows_the_smallest_rule(akili: Say, tmp_path: Path) -> None:
    empty = "security: {default_role: all, roles: {all: {permissions: [], max_risk_level: low}}}\n"
    told = akili("--config", str(config_file(tmp_path, empty)), "policy", "explain", "--json", "id").json
    assert told["smallest_allow"] is None
    assert told["rules"][0]["id"] == "role:all/not-permitted"


def test_a_recorded_call_is_decided_again(akili: Say, tmp_path: Path) -> None:
    akili("runbooks", "run", "service-health-check", "--json")
    record = akili("audit", "tail", "--json", "--tool", "shell_exec", "-n", "1").json
    told = akili("policy", "explain", "--json", "--audit", record["id"]).json
    assert told["recorded"]["verdict"] == told["verdict"] == "allow"
    assert told["recorded"]["approximate"] is False
    stricter = str(config_file(tmp_path, BASE))
    said = akili("--config", stricter, "policy", "explain", "--audit", record["id"])
    assert said.out.startswith("deny\n")
    assert "then:   allow" in said.out


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((), "give one of"),
        (("--tool", "file_read", "--", "id"), "give one of"),
        (("--arg", "a=b", "--", "id"), "--arg goes with --tool"),
        (("--tool", "file_read", "--arg", "path"), "takes name=value"),
        (("--source", "replz", "--", "id"), "did you mean `repl`?"),
        (("--audit", "x", "--user", "ann"), "do not go with it"),
    ],
)
def test_a_question_that_is_none_is_refused(akili: Say, arguments: tuple[str, ...], what: str) -> None:
    said = akili("policy", "explain", *arguments)
    assert said.code == 64
    assert what in said.err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--tool", "file_raed"), "did you mean `file_read`?"),
        (("--tool", "file_read", "--arg", "path=7"), "path"),
        (("--tool", "file_read"), "path"),
        (("--audit", "nothing"), "no audit record"),
    ],
)
def test_a_call_that_cannot_be_understood_is_an_error(akili: Say, arguments: tuple[str, ...], what: str) -> None:
    said = akili("policy", "explain", *arguments)
    assert said.code == 1
    assert what in said.err
