"""Any service the apprise library knows, by an apprise URL that is a secret as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from akili_cli.adapters.net.apprise import apprise_host
from akili_cli.adapters.net.outgoing import Apprise, Posted
from akili_cli.features.notifications.channels.base import MAX_PART_TIMEOUT_S, Surroundings
from akili_cli.features.notifications.model import Account, Failed, Message, Outcome
from akili_cli.features.notifications.settings import NotificationSettings


class AppriseChannel:
    """Less confined than the others: see ``adapters/net/apprise.py``. Apprise itself cuts long texts."""

    required: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()
    secret: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    interval_s: ClassVar[float] = 1.0
    timeout_s: ClassVar[float] = MAX_PART_TIMEOUT_S

    def default_credential(self, _settings: NotificationSettings) -> str | None:
        """Give none: the channel must name its URL."""
        return None

    def problem(self, _config: Mapping[str, str]) -> str | None:
        """Accept: there is nothing to check."""
        return None

    def endpoint(self, account: Account, _around: Surroundings) -> str:
        """Give the host, where it can be told; raises ``ConfigError``."""
        return apprise_host(account.secret or "")

    def parts(self, message: Message) -> tuple[str, ...]:
        """Give the whole body."""
        return (message.body,)

    def request(
        self, account: Account, _around: Surroundings, message: Message, parts: tuple[str, ...], index: int
    ) -> Apprise:
        """Give the message with its URL."""
        return Apprise(account.secret or "", message.subject, parts[index])

    def outcome(self, _answer: Posted, _now: float) -> Outcome:
        """Never asked: apprise says yes or no."""
        return Failed("apprise has no such answer")
