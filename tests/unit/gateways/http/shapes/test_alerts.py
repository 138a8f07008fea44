from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from akili_cli.domain.calls import Status
from akili_cli.features.alerts.checking import Looked
from akili_cli.features.alerts.model import Entry, Result, Standing
from akili_cli.gateways.http.shapes.alerts import (
    AlertChange,
    Mute,
    NewAlert,
    check_line,
    found_now,
    rule_item,
)
from tests.fakes.alerts import rule

NEW: dict[str, Any] = {
    "name": "web",
    "target": "https://a.example/",
    "check_type": "http_status",
    "cron_expression": "* * * * *",
    "channels": ["ops"],
}


def test_a_new_rule_needs_five_fields_and_no_cooldown_is_the_default() -> None:
    assert NewAlert.model_validate(NEW).draft().cooldown_seconds is None
    assert NewAlert.model_validate({**NEW, "cooldown_seconds": 0}).draft().cooldown_seconds is None
    assert NewAlert.model_validate({**NEW, "cooldown_seconds": 5}).draft().cooldown_seconds == 5


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"cooldown_seconds": -1}, "cooldown_seconds"),
        ({"channels": []}, "channels"),
        ({"check_config": {"expected_status": 200}}, "check_config"),
        ({"last_status": "ok"}, "last_status"),
        ({"enabled": "yes"}, "enabled"),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NewAlert.model_validate({**NEW, **given})
    assert {error["loc"][0] for error in caught.value.errors()} == {field}


def test_a_change_merges_and_replaces_the_settings_of_the_check_whole() -> None:
    body = {"target": "", "check_config": {}, "cooldown_seconds": 0, "enabled": False}
    assert AlertChange.model_validate(body).changes().model_dump(exclude_unset=True) == {
        "check_config": {},
        "enabled": False,
    }


@pytest.mark.parametrize("duration", ["0s", "9000h", "soon", "1"])
def test_a_mute_has_a_length_up_to_a_year(duration: str) -> None:
    with pytest.raises(ValueError, match=r"must|duration"):
        Mute(duration=duration).seconds()
    assert Mute(duration="1h30m").seconds() == 5400


def test_a_rule_shows_its_channels_by_name_and_those_there_are_by_id() -> None:
    shown = rule_item(rule(channels=("ops", "gone")), {"ops": "c1", "other": "c2"})
    assert (shown["channels"], shown["channel_ids"], shown["description"]) == (["ops", "gone"], ["c1"], "")
    assert "last_checked_at" not in shown


def test_a_check_shows_where_it_was_told_and_where_that_failed() -> None:
    entry = Entry(
        id="e1",
        org="default",
        rule_id="r1",
        fire_id="f",
        found=Standing.ALERT,
        status=Standing.ALERT,
        previous_status=Standing.OK,
        message="down",
        announced="alert",
        notified_via=("ops", "gone"),
        deliveries=("d1", "d2"),
        check_duration_ms=1.5,
        created_at=0.0,
    )
    shown = check_line(entry, {"ops": "c1"}, {"d2": ("gone", "there is no channel"), "d9": ("x", "y")})
    assert shown["notified_via"] == ["c1"]
    assert shown["notify_errors"] == {"gone": "there is no channel"}
    assert not {"fire_id", "deliveries", "org"} & set(shown)


def test_a_test_says_whether_it_was_kept_from_looking() -> None:
    result = Result(Standing.ERROR, "no")
    assert found_now(Looked(result, Status.DENIED)) == {"status": "error", "message": "no", "refused": True}
    assert found_now(Looked(result, Status.OK))["refused"] is False
    assert found_now(Looked(result))["refused"] is False
