from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.config.settings import Settings


def test_the_defaults_stand_without_any_data() -> None:
    settings = Settings()
    assert settings.security.default_role == "operator"
    assert set(settings.security.roles) == {"viewer", "operator", "admin"}
    assert settings.tools.file.allowed_paths == ()
    assert settings.budget.default_limit_usd == 10.0
    assert settings.runbooks.max_matches == 2
    assert settings.logging.as_json is False


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().agent = None  # type: ignore[assignment,misc]  # that is the point


@pytest.mark.parametrize("data", [{"x": 1}, {"logging": {"as_json": True}}, {"runbooks": {"match_threshold": "0.5"}}])
def test_unknown_and_mistyped_values_are_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(data)
