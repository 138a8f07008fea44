from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.policies import BASE, config_file
from tests.unit.cli.conftest import Say

RULE = 'policies: {rules: [{id: hr, match: {reads: [/srv/hr]}, verdict: deny, because: "people"}]}\n'


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    return str(config_file(tmp_path, BASE + RULE, "a.yaml")), str(config_file(tmp_path, BASE, "b.yaml"))


def test_two_equal_policies_do_not_differ(akili: Say, pair: tuple[str, str]) -> None:
    said = akili("policy", "diff", pair[0], pair[0], "--exit-code")
    assert (said.code, said.out) == (0, "")
    assert said.err.endswith("0 decisions differ, 0 of them wider\n")


def test_a_rule_that_is_gone_is_seen_as_wider(akili: Say, pair: tuple[str, str]) -> None:
    told = akili("policy", "diff", *pair, "--json")
    assert told.code == 0
    found = [(one["rule_before"].partition("@")[0], one["before"], one["wider"]) for one in told.json]
    assert ("hr", "deny", True) in found
    assert "WIDER" in akili("policy", "diff", *pair).out
    assert akili("policy", "diff", *pair, "--exit-code").code == 1


def test_a_rule_that_is_new_is_seen_as_narrower(akili: Say, pair: tuple[str, str]) -> None:
    told = akili("policy", "diff", pair[1], pair[0], "--json").json
    assert told
    assert not any(one["wider"] for one in told)


def test_more_calls_can_be_compared(akili: Say, pair: tuple[str, str], tmp_path: Path) -> None:
    call = "- {tool: file_read, with: {path: /srv/hr/salaries.csv}, user: vic}\n"
    told = akili("policy", "diff", *pair, "--json", "--cases", str(config_file(tmp_path, call, "c.yaml"))).json
    assert "/srv/hr/salaries.csv" in [one["arguments"].get("path") for one in told]


def test_a_file_that_is_no_config_is_an_error(akili: Say, pair: tuple[str, str], tmp_path: Path) -> None:
    said = akili("policy", "diff", pair[0], str(tmp_path / "none.yaml"))
    assert said.code == 1
    assert "none.yaml" in said.err
