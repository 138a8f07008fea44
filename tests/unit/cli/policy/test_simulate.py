from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from tests.fakes.policies import BASE, config_file
from tests.unit.cli.conftest import Say

STRICT = "security: {default_role: none, roles: {none: {permissions: [], max_risk_level: low}}}\n"


@pytest.fixture
def played(akili: Say) -> Say:
    assert akili("runbooks", "run", "capacity-planning", "--json").code == 0
    return akili


def test_the_same_policy_decides_the_same(played: Say) -> None:
    for against in ("latest", "1h", "2020-01-01"):
        said = played("policy", "simulate", "--against", against)
        assert (said.code, said.out) == (0, ""), against
        assert "0 differ, 0 wider" in said.err


def test_a_stricter_policy_is_told_and_no_error(played: Say, tmp_path: Path) -> None:
    config = str(config_file(tmp_path, STRICT))
    told = played("policy", "simulate", "--against", "latest", "--config", config, "--json")
    assert told.code == 0
    assert told.json["wider"] == 0
    assert {one["after"] for one in told.json["changed"]} == {"deny"}


def test_a_wider_policy_exits_with_one(akili: Say, tmp_path: Path) -> None:
    strict = str(config_file(tmp_path, STRICT))
    akili("--config", strict, "runbooks", "run", "capacity-planning", "--json")
    said = akili("policy", "simulate", "--against", "latest")
    assert said.code == 1
    assert "WIDER" in said.out


def test_nothing_recorded_is_nothing_to_decide(akili: Say) -> None:
    said = akili("policy", "simulate", "--against", "latest")
    assert said.code == 0
    assert "0 actions decided again" in said.err


def test_only_what_came_since_is_decided(played: Say) -> None:
    assert "0 actions" in played("policy", "simulate", "--against", "2100-01-01").err


@pytest.mark.parametrize("against", ["yesterday", "", "-1h", "2026-13-01"])
def test_a_time_that_is_none_is_refused(akili: Say, against: str) -> None:
    said = akili("policy", "simulate", "--against", against)
    assert said.code == 64
    assert "--against takes" in said.err


def test_a_candidate_that_does_not_start_is_an_error(played: Say, tmp_path: Path) -> None:
    text = BASE + "policies: {capabilities: {tight: {denied_paths: [/x]}}}\n"
    said = played("policy", "simulate", "--against", "latest", "--config", str(config_file(tmp_path, text)))
    assert said.code == 1
    assert "bound to nobody" in said.err


def test_a_record_that_cannot_be_decided_again_is_named(played: Say) -> None:
    with sqlite3.connect(Path(os.environ["HOME"]) / ".akili" / "akili.db") as db:
        changed = db.execute("UPDATE audit_events SET tool = 'gone' WHERE kind = 'call.outcome'").rowcount
    assert changed > 0
    said = played("policy", "simulate", "--against", "latest")
    assert (said.code, said.out) == (0, "")
    assert said.err.count("not decided again: ") == min(changed, 20)
    assert "there is no tool 'gone' any more" in said.err
    assert f"0 actions decided again (0 approximately), {changed} could not be" in said.err
    told = played("policy", "simulate", "--against", "latest", "--json").json
    assert (told["decided"], told["lost"]) == (0, changed)
    assert {one["tool"] for one in told["not_decided"]} == {"gone"}


def test_a_record_of_an_older_version_is_named_though_it_is_decided_alike(played: Say) -> None:
    with sqlite3.connect(Path(os.environ["HOME"]) / ".akili" / "akili.db") as db:
        old = "json_replace(body, '$.details', json_remove(json_extract(body, '$.details'), '$.decided_at'))"
        db.execute(f"UPDATE audit_events SET body = {old}")
    said = played("policy", "simulate", "--against", "latest")
    assert (said.code, said.out) == (0, "")
    assert "alike, but not surely: " in said.err
    assert "recorded before akili kept who" in said.err
    told = played("policy", "simulate", "--against", "latest", "--json").json
    assert len(told["doubtful"]) == told["decided"] > 0


def test_a_limit_that_left_records_out_is_told(played: Say) -> None:
    assert "only the newest 1 records were read" in played("policy", "simulate", "--against", "1h", "--limit", "1").err
    assert "only the newest" not in played("policy", "simulate", "--against", "1h").err
