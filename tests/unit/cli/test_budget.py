from __future__ import annotations

from tests.unit.cli.conftest import Say


def test_a_new_day_has_everything_left(akili: Say) -> None:
    said = akili("budget", "--json")
    assert said.code == 0
    assert said.json["spent_usd"] == 0
    assert said.json["remaining_usd"] == said.json["limit_usd"] == 10.0
    assert "$10.00" in akili("budget").out


def test_somebody_elses_day_can_be_named(akili: Say) -> None:
    assert akili("budget", "--user", "ben", "--json").json["user"] == "ben"


def test_the_tree_shows_organisation_user_and_runs(akili: Say) -> None:
    assert akili("query", "-m", "Is this host healthy?", "--json").code in (0, 1)
    said = akili("budget", "--json").json
    assert said["organisation"]["limit_usd"] is None
    assert len(said["runs"]) == 1
    assert [line.split()[0] for line in akili("budget").out.splitlines()] == ["LEVEL", "organisation", "user", "run"]
