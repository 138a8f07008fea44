from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.features.webhooks.model import AlertmanagerDelivery, Webhook
from akili_cli.features.webhooks.settings import WebhookSettings
from tests.unit.features.webhooks.test_settings import GOOD


def test_alerts_are_told_apart_by_fingerprint_and_status() -> None:
    alerts = [
        {"fingerprint": "aa11", "status": "firing", "labels": {"x": "y"}},
        {"fingerprint": "aa11", "status": "firing"},
        {"fingerprint": "aa11", "status": "resolved"},
    ]
    delivery = AlertmanagerDelivery.model_validate({"version": "4", "alerts": alerts})
    assert delivery.marks() == ("alert aa11 firing", "alert aa11 resolved")


@pytest.mark.parametrize(
    "alerts",
    [
        [],
        [{"status": "firing"}],
        [{"fingerprint": "a b", "status": "firing"}],
        [{"fingerprint": "a", "status": "?"}],
        {},
    ],
    ids=str,
)
def test_what_is_no_delivery_is_refused(alerts: object) -> None:
    with pytest.raises(ValidationError):
        AlertmanagerDelivery.model_validate({"alerts": alerts})


def test_a_secret_is_not_shown() -> None:
    assert "9fQ2wLx7" not in repr(Webhook(WebhookSettings.model_validate(GOOD), "9fQ2wLx7ZrT4bVn8"))
