"""A signal-cli-rest-api, ``/v2/send``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import ClassVar

from akili_cli.adapters.net.outgoing import Post, Posted
from akili_cli.adapters.net.resolve import is_private_host
from akili_cli.adapters.net.urls import Target, parse_url
from akili_cli.domain.errors import ConfigError, InvalidArgumentsError
from akili_cli.domain.hosts import host_matches
from akili_cli.features.notifications.channels.base import Surroundings
from akili_cli.features.notifications.logic import outcome_of, parts_of, utf16_units
from akili_cli.features.notifications.model import Account, Message, Outcome
from akili_cli.features.notifications.settings import NotificationSettings, is_number

LIMIT = 4096
_GROUP = re.compile(r"group\.[A-Za-z0-9+/=_-]{1,200}", re.ASCII)


class Signal:
    """A group is a recipient that begins with ``group.``; there is no credential."""

    required: ClassVar[tuple[str, ...]] = ("recipient",)
    optional: ClassVar[tuple[str, ...]] = ("signal_api_url", "sender_number")
    secret: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    interval_s: ClassVar[float] = 1.0
    timeout_s: ClassVar[float] = 15.0

    def default_credential(self, _settings: NotificationSettings) -> str | None:
        """Give none."""
        return None

    def problem(self, config: Mapping[str, str]) -> str | None:
        """Check numbers and the URL."""
        if not (is_number(config["recipient"]) or _GROUP.fullmatch(config["recipient"])):
            return "recipient must be a phone number with country code, or group.<id>"
        if "sender_number" in config and not is_number(config["sender_number"]):
            return "sender_number must be a phone number with country code"
        try:
            parse_url(config.get("signal_api_url", "https://localhost"))
        except InvalidArgumentsError as error:
            return f"signal_api_url cannot be used: {error}"
        return None

    def endpoint(self, account: Account, around: Surroundings) -> str:
        """Give the API's host; raises ``ConfigError`` for one the configuration does not know."""
        return self._api(account, around).authority

    def _api(self, account: Account, around: Surroundings) -> Target:
        configured = around.settings.signal.api_url
        own = account.config.get("signal_api_url")
        if own is None and configured is None:
            raise ConfigError("no Signal API is configured", hint="set notification.signal.api_url, or SIGNAL_API_URL")
        target = parse_url(own or configured or "")
        known = is_private_host(target, around.private_hosts)
        same = configured is not None and parse_url(configured).authority == target.authority
        if not (same or known or any(host_matches(target.authority, domain) for domain in around.allowed_domains)):
            raise ConfigError(
                f"{target.authority} is no Signal API this configuration knows",
                hint="signal_api_url may name a host of tools.web.allowed_domains or allowed_private_hosts",
            )
        if target.scheme == "http" and not known:
            raise ConfigError(
                f"messages go to {target.authority} over https only",
                hint="plain http needs the host in tools.web.allowed_private_hosts",
            )
        return target

    def parts(self, message: Message) -> tuple[str, ...]:
        """Cut to 4096 UTF-16 units."""
        return parts_of(message, LIMIT, utf16_units)

    def request(
        self, account: Account, around: Surroundings, _message: Message, parts: tuple[str, ...], index: int
    ) -> Post:
        """Give one ``/v2/send``."""
        number = account.config.get("sender_number") or around.settings.signal.sender_number
        if number is None:
            raise ConfigError(
                "no Signal sender is configured", hint="set notification.signal.sender_number, or SIGNAL_SENDER_NUMBER"
            )
        body = {"message": parts[index], "number": number, "recipients": [account.config["recipient"]]}
        url = f"{self._api(account, around).url.rstrip('/')}/v2/send"
        return Post(url, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def outcome(self, answer: Posted, now: float) -> Outcome:
        """Read the status."""
        return outcome_of(answer, now)
