from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from akili_cli.features.notifications.settings import NotificationSettings

MAIL = {"host": "smtp.example.test", "from": "akili@example.test"}


def test_the_defaults_are_the_seeds() -> None:
    settings = NotificationSettings.model_validate({"email": MAIL})
    assert settings.enabled is False
    assert settings.email is not None
    assert (settings.email.port, settings.email.tls, settings.max_tries) == (587, True, 3)


@pytest.mark.parametrize(
    "url", ["https://proxy.example.test/x", "http://127.0.0.1:8081", "http://localhost", "http://[::1]:1"]
)
def test_an_api_is_reached_over_https_or_on_this_machine(url: str) -> None:
    for kind in ("telegram", "slack", "whatsapp"):
        NotificationSettings.model_validate({kind: {"api_url": url}})


@pytest.mark.parametrize(
    "settings",
    [
        {"telegram": {"api_url": "http://api.example.test"}},
        {"slack": {"api_url": "http://10.0.0.1"}},
        {"whatsapp": {"api_url": "http://127.0.0.1.example.test"}},
        {"telegram": {"api_url": "https://u:p@h"}},
        {"telegram": {"api_url": "ftp://h"}},
        {"telegram": {"token": "123:abc"}},
        {"whatsapp": {"access_token": "EAAB-the-token-itself"}},
        {"signal": {"sender_number": "015112345678"}},
        {"signal": {"api_url": "signal:8080"}},
        {"email": {"host": "smtp.example.test"}},
        {"email": MAIL | {"from": "Akili <a@b>"}},
        {"email": MAIL | {"from": "a@b.test\r\nBcc: x@y.test"}},
        {"email": MAIL | {"host": "smtp example"}},
        {"email": MAIL | {"port": 0}},
        {"email": MAIL | {"password": "hunter22"}},
        {"max_tries": 0},
        {"max_tries": 11},
        {"enabled": "yes"},
    ],
)
def test_what_cannot_work_or_would_leak_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NotificationSettings.model_validate(settings)
