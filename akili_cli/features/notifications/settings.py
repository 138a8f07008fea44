"""Settings of the notifications room: ``notification``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from akili_cli.adapters.net.addresses import blocked
from akili_cli.adapters.net.urls import Target, parse_url
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.hosts import host_name

_REFERENCE = re.compile(r"(env|file|keyring)://\S+")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\\\[\]]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)
_NUMBER = re.compile(r"\+[1-9][0-9]{5,14}", re.ASCII)


def is_address(text: str) -> bool:
    """Tell whether a text is one plain e-mail address in ASCII."""
    return text.isascii() and _ADDRESS.fullmatch(text) is not None


def is_number(text: str) -> bool:
    """Tell whether a text is a phone number with its country code."""
    return _NUMBER.fullmatch(text) is not None


def _parsed(text: str) -> Target:
    try:
        return parse_url(text)
    except InvalidArgumentsError as error:
        raise ValueError(f"is not an address of an API: {error}") from None


def _secure_url(text: str) -> str:
    target = _parsed(text)
    if target.scheme != "https" and target.host != "localhost" and blocked(target.host) != "loopback":
        raise ValueError("must begin with https://; plain http only to this machine")
    return text.rstrip("/")


def _url(text: str) -> str:
    _parsed(text)
    return text.rstrip("/")


def _reference(text: str) -> str:
    if not _REFERENCE.fullmatch(text):
        raise ValueError("must be a reference (env://NAME, file:///path or keyring://service/name), never the secret")
    return text


def _host(text: str) -> str:
    if host_name(text) is None:
        raise ValueError("is not a host name")
    return text


def _sender(text: str) -> str:
    if not is_address(text):
        raise ValueError("must be one plain e-mail address")
    return text


def _number(text: str) -> str:
    if not is_number(text):
        raise ValueError("must be a phone number with country code, as +4915112345678")
    return text


SecureUrl = Annotated[str, StringConstraints(max_length=500), AfterValidator(_secure_url)]
Url = Annotated[str, StringConstraints(max_length=500), AfterValidator(_url)]
Number = Annotated[str, AfterValidator(_number)]
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class EmailSettings(BaseModel):
    """``notification.email``: the server mail is handed to; its password is the channel's ``credential_ref``."""

    model_config = _STRICT

    host: Annotated[str, AfterValidator(_host)]
    port: int = Field(587, ge=1, le=65_535)
    username: str | None = Field(None, min_length=1, max_length=320)
    sender: Annotated[str, AfterValidator(_sender)] = Field(alias="from")
    tls: bool = Field(True, description="TLS at once on port 465, STARTTLS on any other")


class TelegramSettings(BaseModel):
    """``notification.telegram``."""

    model_config = _STRICT

    api_url: SecureUrl = "https://api.telegram.org"


class SlackSettings(BaseModel):
    """``notification.slack``."""

    model_config = _STRICT

    api_url: SecureUrl = "https://slack.com/api"


class WhatsAppSettings(BaseModel):
    """``notification.whatsapp``: the token is a reference; without one ``WHATSAPP_ACCESS_TOKEN`` holds it."""

    model_config = _STRICT

    access_token: Annotated[str, AfterValidator(_reference)] | None = None
    api_url: SecureUrl = "https://graph.facebook.com/v21.0"


class SignalSettings(BaseModel):
    """``notification.signal``: a signal-cli-rest-api of one's own."""

    model_config = _STRICT

    api_url: Url | None = None
    sender_number: Number | None = None


class NotificationSettings(BaseModel):
    """``notification``: whether messages are sent, how often one is tried, and what each type of channel needs."""

    model_config = _STRICT

    enabled: bool = False
    max_tries: int = Field(3, ge=1, le=10, description="of one message, counting the first")
    email: EmailSettings | None = None
    telegram: TelegramSettings = TelegramSettings()
    slack: SlackSettings = SlackSettings()
    whatsapp: WhatsAppSettings = WhatsAppSettings()
    signal: SignalSettings = SignalSettings()
