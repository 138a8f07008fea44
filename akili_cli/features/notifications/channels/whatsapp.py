"""The WhatsApp Cloud API, ``messages``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from akili_cli.adapters.net.outgoing import Post, Posted
from akili_cli.adapters.net.urls import parse_url
from akili_cli.features.notifications.channels.base import Surroundings
from akili_cli.features.notifications.logic import clean_subject, json_object, outcome_of, parts_of, utf16_units
from akili_cli.features.notifications.model import Account, Failed, Message, Outcome, Retry
from akili_cli.features.notifications.settings import NotificationSettings, is_number

VARIABLE = "WHATSAPP_ACCESS_TOKEN"
LIMIT = 4096
_TRANSIENT_CODES = frozenset({4, 80007, 130429, 131016, 131048, 131056})
_MAX_ID = 32


class WhatsApp:
    """Plain text, as formatting marks cannot be escaped."""

    required: ClassVar[tuple[str, ...]] = ("phone_number_id", "recipient")
    optional: ClassVar[tuple[str, ...]] = ()
    secret: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    interval_s: ClassVar[float] = 6.0
    timeout_s: ClassVar[float] = 15.0

    def default_credential(self, settings: NotificationSettings) -> str | None:
        """Give the configured token's reference, else its variable."""
        return settings.whatsapp.access_token or f"env://{VARIABLE}"

    def problem(self, config: Mapping[str, str]) -> str | None:
        """Check ids: they become part of the URL."""
        sender, recipient = config["phone_number_id"], config["recipient"]
        if not (sender.isascii() and sender.isdigit() and len(sender) <= _MAX_ID):
            return "phone_number_id must be a number"
        return None if is_number(f"+{recipient.removeprefix('+')}") else "recipient must be a phone number"

    def endpoint(self, _account: Account, around: Surroundings) -> str:
        """Give the API's host."""
        return parse_url(around.settings.whatsapp.api_url).authority

    def parts(self, message: Message) -> tuple[str, ...]:
        """Cut to 4096 UTF-16 units."""
        return parts_of(message, LIMIT, utf16_units)

    def request(
        self, account: Account, around: Surroundings, _message: Message, parts: tuple[str, ...], index: int
    ) -> Post:
        """Give one text message."""
        body = {
            "messaging_product": "whatsapp",
            "to": account.config["recipient"],
            "type": "text",
            "text": {"body": parts[index]},
        }
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {account.secret}"}
        url = f"{around.settings.whatsapp.api_url}/{account.config['phone_number_id']}/messages"
        return Post(url, headers, json.dumps(body).encode())

    def outcome(self, answer: Posted, now: float) -> Outcome:
        """Read the status; limits of the sender come as 400 with a code of their own."""
        error = json_object(answer.body).get("error")
        told = error if isinstance(error, dict) else {}
        said = told.get("message")
        outcome = outcome_of(answer, now, clean_subject(said) if isinstance(said, str) else None)
        if isinstance(outcome, Failed) and (told.get("is_transient") is True or told.get("code") in _TRANSIENT_CODES):
            return Retry(outcome.reason)
        return outcome
