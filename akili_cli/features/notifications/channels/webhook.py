"""A JSON POST to a URL of the channel's own, signed when the channel has a secret."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import ClassVar

from akili_cli.adapters.net.outgoing import Post, Posted
from akili_cli.adapters.net.urls import parse_url
from akili_cli.domain.errors import ConfigError, InvalidArgumentsError
from akili_cli.features.notifications.channels.base import Surroundings
from akili_cli.features.notifications.logic import outcome_of
from akili_cli.features.notifications.model import Account, Message, Outcome
from akili_cli.features.notifications.settings import NotificationSettings

USER_AGENT = "Akili-Webhook/1.0"
MIN_SECRET_CHARS = 16


class Webhook:
    """``Idempotency-Key`` is the delivery's id.

    ``X-Akili-Signature: t=<seconds>,v1=<hex>`` is HMAC-SHA256 over ``<seconds>.<body>`` with the channel's secret;
    the time is that of the try.
    """

    required: ClassVar[tuple[str, ...]] = ("url",)
    optional: ClassVar[tuple[str, ...]] = ()
    secret: ClassVar[bool] = False
    idempotent: ClassVar[bool] = True
    interval_s: ClassVar[float] = 0.1
    timeout_s: ClassVar[float] = 10.0

    def default_credential(self, _settings: NotificationSettings) -> str | None:
        """Give none: without a secret nothing is signed."""
        return None

    def problem(self, config: Mapping[str, str]) -> str | None:
        """Check the URL."""
        try:
            parse_url(config["url"])
        except InvalidArgumentsError as error:
            return f"url cannot be used: {error}"
        return None

    def endpoint(self, account: Account, _around: Surroundings) -> str:
        """Give the URL's host."""
        return parse_url(account.config["url"]).authority

    def parts(self, message: Message) -> tuple[str, ...]:
        """Give the whole body."""
        return (message.body,)

    def request(
        self, account: Account, _around: Surroundings, message: Message, parts: tuple[str, ...], index: int
    ) -> Post:
        """Give the signed request; raises ``ConfigError`` for a secret that is easily guessed."""
        content = {
            "subject": message.subject,
            "body": parts[index],
            "metadata": dict(message.metadata),
            "channel": message.channel,
        }
        body = json.dumps(content, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Idempotency-Key": message.id}
        if account.secret is not None:
            headers["X-Akili-Signature"] = signature(account.secret, int(message.tried_at), body)
        return Post(account.config["url"], headers, body)

    def outcome(self, answer: Posted, now: float) -> Outcome:
        """Read the status; a redirect is a failure."""
        return outcome_of(answer, now)


def signature(secret: str, at: int, body: bytes) -> str:
    """Give the value of ``X-Akili-Signature``; raises ``ConfigError`` for a secret under 16 characters."""
    if len(secret) < MIN_SECRET_CHARS:
        raise ConfigError(f"a webhook's secret needs at least {MIN_SECRET_CHARS} characters")
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
