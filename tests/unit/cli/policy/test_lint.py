from __future__ import annotations

from pathlib import Path

from tests.fakes.policies import BASE, config_file
from tests.unit.cli.conftest import Say

DEAD = "policies:\n  rules:\n    - {id: dead, match: {tools: [file_read], writes: [/x]}, verdict: deny, because: x}\n"


def test_a_sound_policy_has_nothing_to_say(akili: Say, tmp_path: Path) -> None:
    said = akili("--config", str(config_file(tmp_path, BASE)), "policy", "lint")
    assert (said.code, said.out) == (0, "")
    assert said.err.endswith("rules, 0 errors, 0 warnings\n")
    assert akili("policy", "lint", "--json").json == []


def test_an_error_exits_with_one_and_stops_every_start(akili: Say, tmp_path: Path) -> None:
    config = str(config_file(tmp_path, BASE + DEAD))
    said = akili("--config", config, "policy", "lint")
    assert said.code == 1
    assert f"{config}:9: error: dead: it can never deny anything" in said.out
    for command in (("config", "check"), ("query", "-m", "hello"), ("runbooks", "run", "log-analysis")):
        refused = akili("--config", config, *command)
        assert refused.code == 1, command
        assert "rule dead: it can never deny anything" in refused.err


def test_a_policy_that_binds_nobody_stops_every_start(akili: Say, tmp_path: Path) -> None:
    text = BASE + "policies: {capabilities: {tight: {denied_paths: [/x]}}}\n"
    refused = akili("--config", str(config_file(tmp_path, text)), "config", "check")
    assert refused.code == 1
    assert "bound to nobody" in refused.err


def test_a_warning_is_only_told(akili: Say, tmp_path: Path) -> None:
    twice = "policies: {rules: [{id: a, match: {users: [ann]}, verdict: deny, because: x}, %s]}\n"
    text = BASE + twice % "{id: b, match: {users: [ann]}, verdict: ask, because: x}"
    told = akili("--config", str(config_file(tmp_path, text)), "policy", "lint", "--json")
    assert told.code == 0
    assert [(one["level"], one["rule"]) for one in told.json] == [("warning", "b")]
