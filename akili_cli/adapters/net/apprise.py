"""Hands one message to the apprise library, which opens its own connections: the least confined way out there is.

What can be done about it is done: the host is told beforehand and must be in the permit, its addresses are checked,
redirects are switched off. What cannot: apprise resolves the host again itself, and reads proxy variables.
"""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlsplit

from akili_cli.adapters.net.outgoing import SYSTEM_WIRE, Apprise, Wire, host_and_port
from akili_cli.adapters.net.resolve import checked_addresses
from akili_cli.adapters.net.urls import parse_url
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import ConfigError, InvalidArgumentsError, PolicyDeniedError, ToolFailedError

OWN_HOST = {"json": 80, "jsons": 443, "form": 80, "forms": 443, "xml": 80, "xmls": 443, "gotify": 80, "gotifys": 443}
"""Schemes whose URL names the host that is reached, with the port when it names none."""

FIXED_HOST = {
    "discord": "discord.com:443",
    "opsgenie": "api.opsgenie.com:443",
    "pagerduty": "events.pagerduty.com:443",
    "pover": "api.pushover.net:443",
    "tgram": "api.telegram.org:443",
}
"""Schemes whose service is always at one host."""


def apprise_host(url: str) -> str:
    """Give the ``host:port`` an apprise URL leads to.

    Raises ``ConfigError`` for every URL of which that cannot be told; the URL is never shown.
    """
    scheme = url.partition("://")[0].lower()
    plain = "?" not in url and "#" not in url  # what follows them may change the host
    if plain and scheme in FIXED_HOST:
        return FIXED_HOST[scheme]
    if plain and scheme in OWN_HOST:
        return _named_host(url, OWN_HOST[scheme])
    known = ", ".join(sorted((*OWN_HOST, *FIXED_HOST)))
    raise ConfigError(
        "which host this apprise URL leads to cannot be told, so nobody could allow it", hint=f"without ?: {known}"
    )


def _named_host(url: str, usual_port: int) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or usual_port
        return host_and_port(host, port)
    except (ValueError, InvalidArgumentsError):
        raise ConfigError("the secret is no apprise URL with a host in it") from None


async def send_apprise(
    request: Apprise,
    *,
    permit: Permit,
    private_hosts: tuple[str, ...],
    timeout_s: float,
    wire: Wire = SYSTEM_WIRE,
) -> None:
    """Send it; raises ``ConfigError`` without the extra, ``PolicyDeniedError`` for a host or address that is not
    allowed, ``ToolFailedError`` (retryable: apprise does not say why) when it was not taken.
    """
    authority = apprise_host(request.url)
    if authority not in permit.effects.hosts:
        raise PolicyDeniedError(f"the permit does not name {authority}")
    await checked_addresses(parse_url(f"https://{authority}/"), private_hosts=private_hosts, resolver=wire.resolver)
    try:
        import apprise
    except ModuleNotFoundError as error:
        raise ConfigError("apprise is not installed", hint="pip install 'akili-cli[apprise]'") from error
    asset = apprise.AppriseAsset(
        secure_logging=True, http_redirects=False, storage_mode=apprise.PersistentStoreMode.MEMORY
    )
    service = apprise.Apprise.instantiate(request.url, asset=asset, suppress_exceptions=True)
    if service is None:
        raise ConfigError("the secret is no URL that apprise understands")
    service.socket_connect_timeout = service.socket_read_timeout = timeout_s
    sent = await asyncio.to_thread(_sent, service, request)
    if not sent:
        raise ToolFailedError(f"apprise could not deliver to {authority}", retryable=True)


def _sent(service: object, request: Apprise) -> bool:
    logger = logging.getLogger("apprise")
    logger.disabled = True  # it logs URLs and answers
    return bool(service.notify(body=request.body, title=request.title))  # type: ignore[attr-defined] # no types
