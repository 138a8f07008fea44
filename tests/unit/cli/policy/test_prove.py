from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.policies import BASE, config_file
from tests.unit.cli.conftest import Say

RULES = (
    BASE
    + """\
policies:
  rules:
    - {id: dead-end, match: {tools: [browser]}, verdict: deny, because: x}
    - {id: pushes, match: {commands: [git push]}, verdict: deny, because: x}
"""
)


@pytest.mark.timeout(120)
def test_the_table_shows_each_rule_from_each_entry_point(akili: Say, tmp_path: Path) -> None:
    config = str(config_file(tmp_path, RULES))
    said = akili("policy", "prove", "--config", config)
    assert said.code == 0, said.out
    header, *rows = said.out.splitlines()
    for name in ("RULE", "QUERY", "PROMPT", "RUNBOOKS RUN", "APPROVALS APPROVE", "UNDO", "PROBE"):
        assert name in header
    row = next(line for line in rows if line.startswith("pushes"))
    assert f"{config}:10" in row
    assert row.split()[2:7] == ["deny", "ok", "ok", "ok", "ok"]
    assert "dead-end: no tool of this version is meant" in said.err


@pytest.mark.timeout(120)
def test_the_proof_as_data_says_where_each_rule_was_seen(akili: Say, tmp_path: Path) -> None:
    told = akili("--config", str(config_file(tmp_path, BASE)), "policy", "prove", "--json")
    assert told.code == 0
    rows = {row["rule"]: row for row in told.json}
    assert all(row["holds"] for row in rows.values())
    assert rows["read-only-mode"]["entry_points"]["query"] == {"state": "ok", "note": ""}
    assert rows["read-only-mode"]["entry_points"]["runbooks run"]["state"] == "-"
    assert rows["protected-roots"]["probe"]["tool"] == "shell_exec"


def test_a_policy_that_does_not_start_is_an_error(akili: Say, tmp_path: Path) -> None:
    text = BASE + "policies: {capabilities: {tight: {denied_paths: [/x]}}}\n"
    said = akili("--config", str(config_file(tmp_path, text)), "policy", "prove")
    assert said.code == 1
    assert "bound to nobody" in said.err
