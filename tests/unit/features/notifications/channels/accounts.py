"""Small builders for tests of channels."""

from __future__ import annotations

from typing import Any

from akili_cli.features.notifications.channels.base import Surroundings
from akili_cli.features.notifications.model import Account, Message
from akili_cli.features.notifications.settings import NotificationSettings


def around(private: tuple[str, ...] = (), domains: tuple[str, ...] = (), **settings: Any) -> Surroundings:
    return Surroundings(NotificationSettings.model_validate(settings), private, domains)


def account(secret: str | None = None, **config: str) -> Account:
    return Account(config, secret)


def message(body: str = "97% full", subject: str = "disk full") -> Message:
    return Message("d-1", "ops", subject, body, {"k": "v"}, 1_771_329_600.0, 1_771_329_700.0)
