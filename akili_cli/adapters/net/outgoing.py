"""What is sent by the doors for messages: a POST, a mail, a message for apprise. Cheap to import."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from akili_cli.adapters.net.resolve import Resolver, system_resolver
from akili_cli.adapters.net.urls import parse_url

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class Wire:
    """What replaces the system's way to other hosts: how names are resolved, whose certificates are trusted."""

    resolver: Resolver = system_resolver
    tls: ssl.SSLContext | None = None


SYSTEM_WIRE = Wire()


@dataclass(frozen=True, slots=True)
class Post:
    """A POST request. URL, headers and body may hold secrets, so none of them is ever shown."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Posted:
    """What came back; header names are lower-case, the body is cut at the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class MailTls(enum.Enum):
    """When a mail connection becomes encrypted."""

    AT_ONCE = "at once"
    STARTTLS = "starttls"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message and where to hand it in. ``data`` is the whole message, headers first, ASCII with CRLF.

    ``tls`` is when encryption begins. Addresses are bare and ASCII.
    """

    host: str
    port: int
    tls: MailTls
    username: str | None
    password: str | None = field(repr=False)
    sender: str
    recipients: tuple[str, ...]
    data: bytes = field(repr=False)

    @property
    def authority(self) -> str:
        """Give ``host:port``."""
        return host_and_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Apprise:
    """A message for an apprise URL, which is a secret as a whole."""

    url: str = field(repr=False)
    title: str
    body: str


def host_and_port(host: str, port: int) -> str:
    """Give ``host:port`` in the form of ``Effects.hosts``; raises ``InvalidArgumentsError`` for what is no host."""
    shown = f"[{host}]" if ":" in host else host
    return parse_url(f"https://{shown}:{port}/").authority
