from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.adapters.secrets.settings import MAX_PATTERNS, SecretsSettings


def test_every_provider_is_on_and_tools_get_nothing_by_default() -> None:
    settings = SecretsSettings.model_validate({})
    assert [one.type for one in settings.providers] == ["env", "file", "keyring"]
    assert all(one.allow == () and one.prefix is None for one in settings.providers)
    assert settings.patterns == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"providers": [{"type": "vault"}]},
        {"providers": [{"type": "env", "config": {}}]},
        {"providers": [{"type": "env", "allow": [""]}]},
        {"patterns": [""]},
        {"patterns": ["x" * 401]},
        {"patterns": ["x"] * (MAX_PATTERNS + 1)},
        {"other": 1},
    ],
)
def test_what_is_unknown_or_unbounded_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SecretsSettings.model_validate(wrong)
