from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.features.alerts.settings import AlertingSettings


def test_the_defaults_are_those_of_the_format() -> None:
    told = AlertingSettings.model_validate({}).model_dump()
    assert told == {
        "enabled": False,
        "poll_interval_seconds": 30.0,
        "max_concurrent_checks": 10,
        "default_cooldown_seconds": 300,
    }


@pytest.mark.parametrize("wrong", [{"max_concurrent_checks": 0}, {"default_cooldown_seconds": 0}, {"other": 1}])
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AlertingSettings.model_validate(wrong)
