"""What a reference to a secret looks like, and what every provider of values promises."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from akili_cli.domain.errors import ConfigError, UsageError

MAX_SECRET_BYTES = 65_536
MAX_REFERENCE_CHARS = 1024
_FORM = re.compile(r"([a-z][a-z0-9+.-]{0,20})://(.+)", re.DOTALL)
_STORED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LATER = {"vault": "Vault", "secret": "a general secret store", "aws": "AWS", "gcp": "Google Cloud", "azure": "Azure"}
HOW = "use env://NAME, file:///absolute/path or keyring://service/name"


@dataclass(frozen=True, slots=True)
class Reference:
    """A secret by its place: ``env://NAME``, ``file:///absolute/path`` or ``keyring://service/name``."""

    scheme: str
    place: str

    def __str__(self) -> str:
        """Give the reference as it is written."""
        return f"{self.scheme}://{self.place}"


class SecretProvider(Protocol):
    """Gives values for the references of one scheme."""

    def value(self, reference: Reference) -> str:
        """Give the value, never empty; raises ``ConfigError`` that says what to do and shows no value."""

    def refusal(self, reference: Reference) -> str | None:
        """Say why a tool may not use this reference, or nothing when it may."""


class SecretStore(Protocol):
    """A place of akili's own that secrets can be put into by name."""

    def put(self, name: str, value: str) -> Reference:
        """Keep a value under a name, over an older one; raises ``AkiliError`` when the place cannot."""

    def remove(self, name: str) -> None:
        """Forget a name; raises ``NotFoundError``."""

    def listed(self) -> tuple[Reference, ...]:
        """Give the references of all that was set, sorted."""


def parse_reference(text: str, schemes: tuple[str, ...]) -> Reference:
    """Read a reference; raises ``ConfigError`` for anything that is none, or whose scheme is not served.

    The text itself is never shown: it may be the secret, given where its reference belongs.
    """
    found = _FORM.fullmatch(text) if len(text) <= MAX_REFERENCE_CHARS and text.isprintable() else None
    if found is None:
        raise ConfigError("a secret must be given as a reference", hint=HOW)
    reference = Reference(found[1], found[2])
    if reference.scheme in schemes:
        return reference
    if reference.scheme in ("env", "file", "keyring"):
        raise ConfigError(
            f"{reference.scheme}:// references are switched off: secrets.providers does not list {reference.scheme}",
            hint=f"add `- type: {reference.scheme}` under secrets.providers, or use another reference",
        )
    what = _LATER.get(reference.scheme, "that scheme")
    raise ConfigError(f"this version cannot read {reference.scheme}:// references ({what} is not supported)", hint=HOW)


def stored_name(name: str) -> str:
    """Give a name back that a store can keep; raises ``UsageError`` for any other."""
    if not _STORED_NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} cannot be the name of a secret",
            hint="use 1 to 64 letters, digits, - _ or . and begin with a letter or digit",
        )
    return name


def usable(value: str, where: str) -> str:
    """Give a value without the line end that editors add; raises ``ConfigError`` for one that cannot be used."""
    value = value.rstrip("\r\n")
    if not value.strip():
        raise ConfigError(f"{where} holds nothing", hint="set it, or point the reference elsewhere")
    if "\0" in value or len(value.encode("utf-8", "surrogatepass")) > MAX_SECRET_BYTES:
        raise ConfigError(f"{where} holds something that cannot be a secret", hint="text of at most 64 KiB")
    return value
