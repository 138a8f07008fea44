"""Opens the socket that a gateway listens on, and says plainly why one cannot be opened."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv6Address, ip_address

from akili_cli.domain.errors import ConfigError

BACKLOG = 512
_MAX_PORT = 65_535
_FORM = "write IP:port (127.0.0.1:8080, [::1]:8080), or :port for every address of this machine"


def parse_listen(text: str) -> tuple[str, int]:
    """Split ``IP:port`` or ``:port`` into address (empty for all) and port; 0 is any free port.

    Raises ``ConfigError`` for anything else; names are refused because what they mean can change.
    """
    host, mark, port = text.rpartition(":")
    if not mark or not (port.isascii() and port.isdigit()) or len(port) > len(str(_MAX_PORT)) or int(port) > _MAX_PORT:
        raise ConfigError("is not an address with a port from 0 to 65535", hint=_FORM)
    if not host:
        return "", int(port)
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise ConfigError("must hold an IP address, not a host name", hint=_FORM) from None
    if isinstance(address, IPv6Address) is not bracketed or getattr(address, "scope_id", None):
        raise ConfigError("must hold an IPv6 address in brackets, and only that", hint=_FORM)
    return str(address), int(port)


def is_loopback(host: str) -> bool:
    """Tell whether an address of ``parse_listen`` can only be reached from this machine."""
    if not host:
        return False
    address = ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def open_listener(listen_addr: str) -> socket.socket:
    """Give a listening TCP socket; ``:port`` takes IPv4 and, where the machine has it, IPv6.

    Raises ``ConfigError`` that names the fix: a port in use, a port for root only, an address that is not here.
    """
    host, port = parse_listen(listen_addr)
    try:
        return _opened(host, port)
    except OSError as error:
        raise _refusal(listen_addr, port, error) from error


def _opened(host: str, port: int) -> socket.socket:
    if not host:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        return socket.create_server(("", port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _refusal(listen_addr: str, port: int, error: OSError) -> ConfigError:
    what = f"cannot listen on {listen_addr} (gateways.http.listen_addr)"
    match error.errno:
        case errno.EADDRINUSE:
            return ConfigError(
                f"{what}: the port is in use", hint=f"end what listens there (ss -ltnp 'sport = :{port}')"
            )
        case errno.EACCES | errno.EPERM:
            return ConfigError(f"{what}: ports below 1024 are for root", hint="use a port from 1024 on, behind a proxy")
        case errno.EADDRNOTAVAIL:
            return ConfigError(f"{what}: this machine does not have that address", hint="see: ip address")
        case errno.EAFNOSUPPORT:
            return ConfigError(f"{what}: this machine has no IPv6", hint="use an IPv4 address")
        case _:
            return ConfigError(f"{what}: {error.strerror}", hint=_FORM)
