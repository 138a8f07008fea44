from __future__ import annotations

import json

import pytest

from akili_cli.adapters.net.outgoing import Posted
from akili_cli.features.notifications.channels.whatsapp import WhatsApp
from akili_cli.features.notifications.model import Delivered, Failed, Retry
from akili_cli.features.notifications.settings import NotificationSettings
from tests.unit.features.notifications.channels.accounts import account, around, message


def test_a_text_message_is_asked_for() -> None:
    one = message()
    me = account("t0ken-of-tests", phone_number_id="42", recipient="49151123456")
    post = WhatsApp().request(me, around(), one, WhatsApp().parts(one), 0)
    assert post.url == "https://graph.facebook.com/v21.0/42/messages"
    assert json.loads(post.body)["text"] == {"body": "disk full\n\n97% full"}
    assert "t0ken" not in repr(post)


def test_the_configured_token_goes_before_the_variable() -> None:
    settings = NotificationSettings.model_validate({"whatsapp": {"access_token": "file:///run/token"}})
    assert WhatsApp().default_credential(settings) == "file:///run/token"
    assert WhatsApp().default_credential(NotificationSettings()) == "env://WHATSAPP_ACCESS_TOKEN"


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (200, {}, Delivered()),
        (400, {"code": 131030, "message": "not allowed"}, Failed("answered 400: not allowed")),
        (400, {"code": 131056, "message": "too often"}, Retry("answered 400: too often")),
        (400, {"is_transient": True, "message": "later"}, Retry("answered 400: later")),
        (401, {"code": 190, "message": "token"}, Failed("answered 401: token")),
    ],
)
def test_limits_that_come_as_400_are_told_apart(status: int, error: dict[str, object], outcome: object) -> None:
    assert WhatsApp().outcome(Posted(status, {}, json.dumps({"error": error}).encode()), 0.0) == outcome


@pytest.mark.parametrize(
    ("sender", "recipient", "good"),
    [("42", "49151123456", True), ("42", "+49151123456", True), ("4/../2", "49151123456", False), ("42", "bob", False)],
)
def test_ids_are_numbers(sender: str, recipient: str, good: bool) -> None:
    assert (WhatsApp().problem({"phone_number_id": sender, "recipient": recipient}) is None) is good
