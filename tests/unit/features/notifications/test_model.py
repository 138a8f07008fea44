from __future__ import annotations

import json

from akili_cli.features.notifications.model import Account, Channel, Delivery, State


def test_a_channel_says_only_whether_it_has_a_credential() -> None:
    channel = Channel(
        id="1",
        org="o",
        name="ops",
        type="slack",
        config={"channel_id": "C1"},
        credential_ref="env://CHANNEL_X",
        enabled=True,
        user="ann",
        created_at=0.0,
        updated_at=0.0,
    )
    shown = json.dumps(channel.as_dict())
    assert '"has_credential": true' in shown
    assert "CHANNEL_X" not in shown


def test_a_delivery_is_shown_without_its_text() -> None:
    delivery = Delivery(
        id="1",
        org="o",
        key="k",
        channel="ops",
        subject="s",
        body="the body",
        metadata={},
        user="ann",
        source="alert",
        state=State.QUEUED,
        max_tries=3,
        due_at=0.0,
        created_at=0.0,
    )
    shown = json.dumps(delivery.as_dict())
    assert "the body" not in shown
    assert '"finished_at": null' in shown


def test_an_account_hides_its_secret() -> None:
    assert "hunter22" not in repr(Account({}, "hunter22"))
