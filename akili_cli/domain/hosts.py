"""Host names compared by label: case, trailing dot and IDNA do not matter; prefixes and suffixes never do."""

from __future__ import annotations

import ipaddress

MAX_NAME, MAX_LABEL = 253, 63


def host_name(text: str) -> str | None:
    """Give a host as lower-case ASCII without a trailing dot (IPv6 without brackets), or None if it is none."""
    text = text.strip().removesuffix(".")
    bare = text.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(bare).compressed
    except ValueError:
        pass
    try:
        ascii_name = text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = ascii_name.split(".")
    if not ascii_name or len(ascii_name) > MAX_NAME or not all(_is_label(label) for label in labels):
        return None
    return ascii_name


def _is_label(label: str) -> bool:
    return 0 < len(label) <= MAX_LABEL and all(c.isalnum() or c in "-_" for c in label) and label.isascii()


def split_host(entry: str) -> tuple[str, str]:
    """Split ``host:port`` (or ``[v6]:port``) into host and port; the port is empty when there is none."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    host, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and ":" not in host:
        return host, port
    return entry, ""


def host_matches(host: str, pattern: str) -> bool:
    """Tell whether ``host`` or ``host:port`` is meant by a pattern.

    A pattern is a name (exactly that host), ``*.name`` (any host below it, not itself), either with an optional
    ``:port``, or ``unix:/path`` (exactly that socket). What cannot be read as a host matches nothing.
    """
    if host.startswith("unix:") or pattern.startswith("unix:"):
        return host == pattern
    name, port = split_host(host)
    want, want_port = split_host(pattern)
    if want_port and want_port != port:
        return False
    below = want.startswith("*.")
    wanted, given = host_name(want[2:] if below else want), host_name(name)
    if wanted is None or given is None:
        return False
    return given.endswith("." + wanted) if below else given == wanted
