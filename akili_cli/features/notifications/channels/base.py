"""The contract of a type of channel: pure, but for nothing; it says what to send and reads what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from akili_cli.adapters.net.outgoing import Apprise, Mail, Post, Posted
from akili_cli.features.notifications.model import Account, Message, Outcome
from akili_cli.features.notifications.settings import NotificationSettings

Request = Post | Mail | Apprise
MAX_PART_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the configuration says beside the channel: its own section, and which hosts the net door knows."""

    settings: NotificationSettings
    private_hosts: tuple[str, ...] = ()
    allowed_domains: tuple[str, ...] = ()
    allowed_ports: tuple[int, ...] = (80, 443)


class ChannelType(Protocol):
    """One kind of service.

    ``required`` and ``optional`` name the keys of a channel's config. ``secret`` says whether a channel needs a
    credential. ``idempotent`` says that the service can tell a repetition by the delivery's id, so that a delivery cut
    off by a crash may be sent again. ``interval_s`` is the least time between two messages of one channel.
    """

    required: ClassVar[tuple[str, ...]]
    optional: ClassVar[tuple[str, ...]]
    secret: ClassVar[bool]
    idempotent: ClassVar[bool]
    interval_s: ClassVar[float]
    timeout_s: ClassVar[float]

    def default_credential(self, settings: NotificationSettings) -> str | None:
        """Give the reference that is used when the channel names none."""

    def problem(self, config: Mapping[str, str]) -> str | None:
        """Say what is wrong with a value of the config, or nothing; the keys are known to fit."""

    def endpoint(self, account: Account, around: Surroundings) -> str:
        """Give the ``host:port`` a message goes to; raises ``ConfigError`` or ``InvalidArgumentsError``."""

    def parts(self, message: Message) -> tuple[str, ...]:
        """Cut a message to the service's limit, counted in its units."""

    def request(
        self, account: Account, around: Surroundings, message: Message, parts: tuple[str, ...], index: int
    ) -> Request:
        """Give what to send for one part; raises ``ConfigError``."""

    def outcome(self, answer: Posted, now: float) -> Outcome:
        """Read what the service answered; only asked by those that are posted to."""
