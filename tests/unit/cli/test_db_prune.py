from __future__ import annotations

import json

import pytest

from akili_cli.cli.db_prune import parse_age
from akili_cli.domain.errors import UsageError
from tests.unit.cli.conftest import Say


@pytest.mark.parametrize(
    ("text", "seconds"), [("90d", 90 * 86_400), ("1d", 86_400), ("36h", 129_600), ("24h", 86_400), ("1.5d", 129_600)]
)
def test_an_age_is_days_or_a_duration(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "0d", "1h", "90", "-3d", "90days", "d", "9" * 40 + "d", "\u0661d"])
def test_anything_else_and_less_than_a_day_is_refused(akili: Say, text: str) -> None:
    with pytest.raises(UsageError):
        parse_age(text)
    assert akili("db", "prune", f"--older-than={text}").code == 64


def test_pruning_says_what_went_and_is_recorded_by_whom(akili: Say) -> None:
    akili("runbooks", "run", "service-health-check")
    would = akili("db", "prune", "--older-than", "90d", "--dry-run", "--json").json
    assert (would["dry_run"], would["rows"]) == (True, 0)
    assert akili("audit", "search", "--tool", "db.prune", "--json").out == ""
    assert akili("db", "prune", "--older-than", "90d").out.startswith("0 rows deleted")
    lines = akili("audit", "search", "--tool", "db.prune", "--json").out.splitlines()
    assert [json.loads(line)["result"] for line in lines] == ["changed", "started"]
    assert akili("audit", "verify").code == 0


def test_an_age_must_be_given(akili: Say) -> None:
    assert akili("db", "prune").code == 64
