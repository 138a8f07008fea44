"""Telegram's Bot API, ``sendMessage``."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import ClassVar

from akili_cli.adapters.net.outgoing import Post, Posted
from akili_cli.adapters.net.urls import parse_url
from akili_cli.domain.errors import ConfigError
from akili_cli.features.notifications.channels.base import Surroundings
from akili_cli.features.notifications.logic import (
    clean_subject,
    json_object,
    outcome_of,
    parts_of,
    utf16_units,
    with_bold_subject,
)
from akili_cli.features.notifications.model import Account, Message, Outcome, Retry
from akili_cli.features.notifications.settings import NotificationSettings

VARIABLE = "TELEGRAM_BOT_TOKEN"
LIMIT = 4000
_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{10,100}", re.ASCII)
_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{3,64}", re.ASCII)


class Telegram:
    """The token is part of the URL, so the URL is a secret."""

    required: ClassVar[tuple[str, ...]] = ("chat_id",)
    optional: ClassVar[tuple[str, ...]] = ()
    secret: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    interval_s: ClassVar[float] = 1.0
    timeout_s: ClassVar[float] = 15.0

    def default_credential(self, _settings: NotificationSettings) -> str | None:
        """Give the bot token's variable."""
        return f"env://{VARIABLE}"

    def problem(self, config: Mapping[str, str]) -> str | None:
        """Check the chat."""
        return None if _CHAT.fullmatch(config["chat_id"]) else "chat_id must be a number or @name"

    def endpoint(self, _account: Account, around: Surroundings) -> str:
        """Give the API's host."""
        return parse_url(around.settings.telegram.api_url).authority

    def parts(self, message: Message) -> tuple[str, ...]:
        """Cut to 4000 UTF-16 units of what is read, as Telegram counts before markup."""
        return parts_of(message, LIMIT, utf16_units)

    def request(
        self, account: Account, around: Surroundings, message: Message, parts: tuple[str, ...], index: int
    ) -> Post:
        """Give one ``sendMessage``; raises ``ConfigError`` for what is no token."""
        token = account.secret or ""
        if not _TOKEN.fullmatch(token):
            raise ConfigError("the credential is no Telegram bot token", hint="it looks like 123456:ABC-DEF...")
        text = with_bold_subject(message, parts, index, "<b>{}</b>".format, lambda t: html.escape(t, quote=False))
        body = {
            "chat_id": account.config["chat_id"],
            "text": text,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        url = f"{around.settings.telegram.api_url}/bot{token}/sendMessage"
        return Post(url, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def outcome(self, answer: Posted, now: float) -> Outcome:
        """Read the status; how long to wait stands in the body."""
        found = json_object(answer.body)
        described = found.get("description")
        outcome = outcome_of(answer, now, clean_subject(described) if isinstance(described, str) else None)
        parameters = found.get("parameters")
        wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
        if isinstance(outcome, Retry) and isinstance(wait, int) and not isinstance(wait, bool) and wait >= 0:
            return Retry(outcome.reason, float(wait))
        return outcome
