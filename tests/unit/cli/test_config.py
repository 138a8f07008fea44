from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import Say


def test_without_a_file_the_defaults_are_in_force(akili: Say) -> None:
    said = akili("config", "check", "--json")
    assert said.code == 0
    assert said.json["ok"] is True
    assert said.json["files"] == []
    assert said.json["rules"] > 10
    assert "defaults" in akili("config", "check").out


def test_every_setting_is_shown_with_its_origin(akili: Say, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("agent:\n  max_steps: 7\nsecurity:\n  default_role: x\n  roles: {x: {max_risk_level: low}}\n")
    shown = akili("--config", str(path), "config", "show", "--origin", "--json").json
    assert shown["agent.max_steps"] == {"value": 7, "origin": f"{path}:2"}
    assert akili("--config", str(path), "config", "show", "--json").json["agent.max_steps"] == 7
    assert f"{path}:2" in akili("--config", str(path), "config", "show", "--origin").out
    assert "agent.max_steps" in akili("--config", str(path), "config", "show").out


def test_a_file_that_is_refused_says_where(akili: Say, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("agent:\n  max_step: 7\n")
    said = akili("--config", str(path), "config", "check")
    assert (said.code, said.out) == (1, "")
    assert f"{path}:2" in said.err


def test_the_schema_is_a_json_schema(akili: Say) -> None:
    schema = akili("config", "schema").json
    assert schema["type"] == "object"
    assert "agent" in schema["properties"]
