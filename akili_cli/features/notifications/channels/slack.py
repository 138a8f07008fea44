"""Slack's Web API, ``chat.postMessage``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import ClassVar

from akili_cli.adapters.net.outgoing import Post, Posted
from akili_cli.adapters.net.urls import parse_url
from akili_cli.features.notifications.channels.base import Surroundings
from akili_cli.features.notifications.logic import (
    json_object,
    outcome_of,
    parts_of,
    quoted,
    retry_after_s,
    with_bold_subject,
)
from akili_cli.features.notifications.model import Account, Delivered, Failed, Message, Outcome, Retry
from akili_cli.features.notifications.settings import NotificationSettings

VARIABLE = "SLACK_BOT_TOKEN"
LIMIT = 3900
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ESCAPES = str.maketrans(_ENTITIES)
_CHANNEL = re.compile(r"[#@]?[\w.-]{1,80}")
_TRANSIENT = frozenset(
    ("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout")
)


class Slack:
    """Slack says what went wrong in a 200: ``ok`` is what counts."""

    required: ClassVar[tuple[str, ...]] = ("channel_id",)
    optional: ClassVar[tuple[str, ...]] = ()
    secret: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    interval_s: ClassVar[float] = 1.0
    timeout_s: ClassVar[float] = 15.0

    def default_credential(self, _settings: NotificationSettings) -> str | None:
        """Give the bot token's variable."""
        return f"env://{VARIABLE}"

    def problem(self, config: Mapping[str, str]) -> str | None:
        """Check the channel."""
        return None if _CHANNEL.fullmatch(config["channel_id"]) else "channel_id must be an id or a name"

    def endpoint(self, _account: Account, around: Surroundings) -> str:
        """Give the API's host."""
        return parse_url(around.settings.slack.api_url).authority

    def parts(self, message: Message) -> tuple[str, ...]:
        """Cut to 3900 characters, escapes included."""
        return parts_of(message, LIMIT, lambda char: len(_ENTITIES.get(char, char)))

    def request(
        self, account: Account, around: Surroundings, message: Message, parts: tuple[str, ...], index: int
    ) -> Post:
        """Give one ``chat.postMessage``; mentions in the text are escaped, links are not unfurled."""
        text = with_bold_subject(message, parts, index, "*{}*".format, lambda t: t.translate(_ESCAPES))
        body = {
            "channel": account.config["channel_id"],
            "text": text,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {account.secret}"}
        return Post(f"{around.settings.slack.api_url}/chat.postMessage", headers, json.dumps(body).encode())

    def outcome(self, answer: Posted, now: float) -> Outcome:
        """Read ``ok`` and ``error``."""
        outcome = outcome_of(answer, now)
        if not isinstance(outcome, Delivered):
            return outcome
        found = json_object(answer.body)
        if found.get("ok") is True:
            return Delivered()
        error = found.get("error")
        if not isinstance(error, str):
            return Failed(f"answered what is no Slack answer: {quoted(answer.body)}")
        if error in _TRANSIENT:
            return Retry(f"answered {error}", retry_after_s(answer.headers, now))
        return Failed(f"answered {quoted(error.encode())}")
