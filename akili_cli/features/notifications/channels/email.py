"""E-mail, handed to the configured SMTP server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import ClassVar

from akili_cli.adapters.net.outgoing import Mail, MailTls, Posted, host_and_port
from akili_cli.domain.errors import ConfigError
from akili_cli.features.notifications.channels.base import MAX_PART_TIMEOUT_S, Surroundings
from akili_cli.features.notifications.model import Account, Failed, Message, Outcome
from akili_cli.features.notifications.settings import EmailSettings, NotificationSettings, is_address

MAX_RECIPIENTS = 50
IMPLICIT_TLS_PORT = 465


class Email:
    """One message to all of ``to``; the same delivery always has the same Message-ID."""

    required: ClassVar[tuple[str, ...]] = ("to",)
    optional: ClassVar[tuple[str, ...]] = ()
    secret: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    interval_s: ClassVar[float] = 1.0
    timeout_s: ClassVar[float] = MAX_PART_TIMEOUT_S

    def default_credential(self, _settings: NotificationSettings) -> str | None:
        """Give none: a server that wants no password gets none."""
        return None

    def problem(self, config: Mapping[str, str]) -> str | None:
        """Check the addresses."""
        addresses = _addresses(config["to"])
        if not 0 < len(addresses) <= MAX_RECIPIENTS:
            return f"to must hold 1 to {MAX_RECIPIENTS} addresses, separated by commas"
        wrong = next((one for one in addresses if not is_address(one)), None)
        return None if wrong is None else f"to holds {wrong[:80]!r}, which is no plain e-mail address"

    def endpoint(self, _account: Account, around: Surroundings) -> str:
        """Give the server; raises ``ConfigError`` when none is configured."""
        settings = _settings(around)
        return host_and_port(_bare(settings.host), settings.port)

    def parts(self, message: Message) -> tuple[str, ...]:
        """Give the whole body: mail has room."""
        return (message.body,)

    def request(
        self, account: Account, around: Surroundings, message: Message, parts: tuple[str, ...], index: int
    ) -> Mail:
        """Give the message with its envelope; raises ``ConfigError`` for a password without a user name."""
        settings, recipients = _settings(around), _addresses(account.config["to"])
        if account.secret is not None and settings.username is None:
            raise ConfigError("the channel has a password and notification.email.username is not set")
        mail = EmailMessage()
        mail["From"] = settings.sender
        mail["To"] = ", ".join(recipients)
        mail["Subject"] = message.subject or "akili"
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.created_at, UTC))
        mail["Message-ID"] = f"<{message.id}@{settings.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(parts[index] or "\n", charset="utf-8", cte="quoted-printable")
        return Mail(
            host=_bare(settings.host),
            port=settings.port,
            tls=_tls(settings),
            username=settings.username,
            password=account.secret,
            sender=settings.sender,
            recipients=recipients,
            data=mail.as_bytes(policy=SMTP),
        )

    def outcome(self, _answer: Posted, _now: float) -> Outcome:
        """Never asked: no mail is posted."""
        return Failed("mail has no such answer")


def _settings(around: Surroundings) -> EmailSettings:
    if around.settings.email is None:
        raise ConfigError(
            "no mail server is configured", hint="set notification.email.host and notification.email.from"
        )
    return around.settings.email


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))


def _bare(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")


def _tls(settings: EmailSettings) -> MailTls:
    if not settings.tls:
        return MailTls.NEVER
    return MailTls.AT_ONCE if settings.port == IMPLICIT_TLS_PORT else MailTls.STARTTLS
