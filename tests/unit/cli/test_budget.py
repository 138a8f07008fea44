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
