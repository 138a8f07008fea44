from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from akili_cli.features.webhooks.settings import WebhookSettings

GOOD: dict[str, Any] = {"name": "prod-alerts", "kind": "signed", "user": "hooks", "secret": "env://HOOK_SECRET"}


def test_what_a_webhook_begins_may_only_look_unless_it_says_otherwise() -> None:
    hook = WebhookSettings.model_validate(GOOD)
    assert (hook.read_only, hook.max_per_hour, hook.role) == (True, 20, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Prod"},
        {"name": "a/b"},
        {"name": ""},
        {"name": "a\n"},
        {"kind": "github"},
        {"user": ""},
        {"secret": "hunter2hunter2hunter2"},
        {"secret": ""},
        {"goal": "  "},
        {"max_per_hour": 0},
        {"verify": False},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WebhookSettings.model_validate({**GOOD, **wrong})


def test_a_secret_that_was_written_out_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookSettings.model_validate({**GOOD, "secret": "hunter2hunter2hunter2"})
    assert "never the secret itself" in str(caught.value.errors()[0]["msg"])
