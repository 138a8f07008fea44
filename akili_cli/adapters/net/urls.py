"""The one reader of URLs that a model or a stranger chose: what it cannot read in one way only, it refuses."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.hosts import host_name

MAX_URL_BYTES = 8192
MAX_PORT = 65_535
DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"(https?)://", re.IGNORECASE | re.ASCII)
_ANY_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE | re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?", re.ASCII)
_STRANGE_DOTS = frozenset("\u3002\uff0e\uff61")
_PATH_SAFE = "/?:@!$&'()*+,;=-._~%[]|^{}`"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart. ``host`` is lower-case ASCII without a trailing dot, or an address without brackets.

    ``path`` starts with a slash, holds the query, and is percent-encoded ASCII; there is no fragment.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """``host:port``, with brackets around an IPv6 address: the form of ``Effects.hosts``."""
        return f"{self._bracketed}:{self.port}"

    @property
    def host_header(self) -> str:
        """What the ``Host`` header says: without the port where it is the scheme's own."""
        return self._bracketed if self.port == DEFAULT_PORTS[self.scheme] else self.authority

    @property
    def url(self) -> str:
        """The URL again, in its one form."""
        return f"{self.scheme}://{self.host_header}{self.path}"

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address rather than a name."""
        return ":" in self.host or _NUMERIC.fullmatch(self.host.rpartition(".")[2]) is not None

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def parse_url(text: str) -> Target:
    """Read an absolute http or https URL.

    Raises ``InvalidArgumentsError`` for other schemes, user names, control and invisible characters, spaces,
    backslashes, percent signs and look-alike digits in the host, numeric hosts that are not four plain
    numbers, ports out of range, and texts of more than 8 KiB.
    """
    _check_characters(text)
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise _refused("only http:// and https:// URLs are fetched")
    rest = text[scheme.end() :]
    end = next((at for at, c in enumerate(rest) if c in "/?#"), len(rest))
    name = scheme[1].lower()
    host, port = _split_authority(rest[:end])
    number = DEFAULT_PORTS[name] if port is None else _port(port)
    path = rest[end:].partition("#")[0]
    path = path if path.startswith("/") else f"/{path}"
    return Target(name, _host(host), number, quote(path, safe=_PATH_SAFE))


def join_url(base: Target, location: str) -> Target:
    """Read a redirect's ``Location``, absolute or relative to where it came from; raises as ``parse_url``."""
    _check_characters(location)
    if _ANY_SCHEME.match(location):
        return parse_url(location)
    if location.startswith("//"):
        return parse_url(f"{base.scheme}:{location}")
    origin = f"{base.scheme}://{base.authority}"
    path, _, _query = base.path.partition("?")
    if location.startswith("/"):
        return parse_url(origin + location)
    if location[:1] in ("?", "#", ""):
        return parse_url(origin + path + location)
    directory = path.rpartition("/")[0]
    while location.startswith(("./", "../")):
        if location.startswith("../"):
            directory = directory.rpartition("/")[0]
        location = location.partition("/")[2]
    return parse_url(f"{origin}{directory}/{location}")


def _check_characters(text: str) -> None:
    if len(text) > MAX_URL_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_URL_BYTES:
        raise _refused(f"the URL is longer than {MAX_URL_BYTES} bytes")
    for c in text:
        if c == "\\" or c.isspace() or unicodedata.category(c)[0] in "CZ":
            raise _refused(f"the URL holds {c!r}; write it percent-encoded")


def _split_authority(authority: str) -> tuple[str, str | None]:
    if not authority:
        raise _refused("the URL has no host")
    if "@" in authority:
        raise _refused("the URL holds a user name or password")
    if "%" in authority:
        raise _refused("the URL's host is percent-encoded")
    if authority.startswith("["):
        host, bracket, port = authority.partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise _refused("the URL's IPv6 address is malformed")
        return host + bracket, port[1:] if port else None
    host, colon, port = authority.partition(":")
    if ":" in port:
        raise _refused("the URL's host holds more than one colon; put an IPv6 address in brackets")
    return host, port if colon else None


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > MAX_PORT:
        raise _refused("the URL's port is not a number from 1 to 65535")
    return int(text)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return IPv6Address(text[1:-1]).compressed
        except ValueError:
            raise _refused("the URL's IPv6 address is malformed") from None
    if not text.isascii():
        _check_unicode_host(text)
    host = host_name(text)
    if host is None or ":" in host:
        raise _refused("the URL's host is not a host name")
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        return _dotted(host)
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused("the URL's host is not a host name")
    return host


def _check_unicode_host(text: str) -> None:
    plain = unicodedata.normalize("NFKC", text) == unicodedata.normalize("NFC", text)
    digits = any(c.isnumeric() and not c.isascii() for c in text)
    if not plain or digits or not _STRANGE_DOTS.isdisjoint(text):
        raise _refused("the URL's host holds look-alike characters")


def _dotted(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise _refused("the URL's host is a number that is not four plain decimals") from None


def _refused(what: str) -> InvalidArgumentsError:
    return InvalidArgumentsError(what)
