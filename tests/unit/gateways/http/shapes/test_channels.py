from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from akili_cli.features.notifications.model import Channel, Delivery, State
from akili_cli.gateways.http.shapes.channels import (
    ChannelChange,
    ChannelItem,
    NewChannel,
    channel_item,
    sent_or_why_not,
)

DELIVERY: dict[str, Any] = {
    "id": "d",
    "org": "default",
    "key": "k",
    "channel": "ops",
    "subject": "s",
    "body": "b",
    "metadata": {},
    "user": "ann",
    "source": "http",
    "max_tries": 1,
    "due_at": 0.0,
    "created_at": 0.0,
}


@pytest.mark.parametrize("kind", ["telegram", "slack", "whatsapp", "signal", "email", "webhook"])
def test_every_type_of_the_contract_can_be_made(kind: str) -> None:
    assert NewChannel(name="ops", channel_type=kind).enabled


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"channel_type": "pigeon"}, "channel_type"),
        ({"channel_type": ""}, "channel_type"),
        ({"name": "a b"}, "name"),
        ({"config": {"url": 1}}, "config"),
        ({"user_id": "root"}, "user_id"),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NewChannel.model_validate({"name": "ops", "channel_type": "webhook", **given})
    assert {error["loc"][0] for error in caught.value.errors()} == {field}


def test_a_change_takes_no_type_that_there_is_not() -> None:
    with pytest.raises(ValidationError):
        ChannelChange.model_validate({"channel_type": "pigeon"})
    assert ChannelChange.model_validate({"channel_type": ""}).channel_type == ""


def test_of_a_credential_is_shown_only_that_there_is_one() -> None:
    channel = Channel(
        id="c",
        org="default",
        name="ops",
        type="webhook",
        config={"url": "https://x.example/"},
        credential_ref="env://CHANNEL_SECRET",
        enabled=True,
        user="ann",
        created_at=0.0,
        updated_at=0.0,
    )
    shown = channel_item(channel)
    ChannelItem.model_validate(shown)
    assert shown["has_credential"] is True
    assert "CHANNEL_SECRET" not in str(shown)


def test_a_test_was_sent_or_says_why_not_and_what_it_waits_for() -> None:
    assert sent_or_why_not(Delivery(**DELIVERY, state=State.SENT, reason="odd")) == {"status": "sent"}
    failed = sent_or_why_not(Delivery(**DELIVERY, state=State.FAILED, reason="no such host"))
    assert failed == {"status": "failed", "error": "no such host"}
    held = sent_or_why_not(Delivery(**DELIVERY, state=State.HELD, reason="held", approval_id="a1"))
    assert held == {"status": "failed", "error": "held", "approval_id": "a1"}
