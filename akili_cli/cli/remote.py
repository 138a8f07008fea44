"""Commands against a gateway: whether one was chosen, and what must not be done here while one is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import typer

from akili_cli.cli import options, render
from akili_cli.domain.errors import AkiliError, ConflictError, NotFoundError, UnauthorizedError, UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway

URL_VARIABLE, KEY_VARIABLE = "AKILI_GATEWAY_URL", "AKILI_API_KEY"
URL = typer.Option(
    None, "--gateway-url", envvar=URL_VARIABLE, metavar="URL", help="Ask this gateway instead of working here."
)
KEY = typer.Option(
    None, "--api-key", envvar=KEY_VARIABLE, metavar="KEY", help="Its API key; `ps` shows what stands here."
)
MIN_TYPED = 4
HERE = frozenset({"gateway", "agent", "doctor", "config", "version"})
"""Commands that are about this machine by their nature; every other one is refused while a gateway is chosen."""


def chosen(url: str | None, key: str | None) -> Gateway | None:
    """Give the gateway to ask, or None to work here.

    Raises ``UsageError`` for an address that cannot be one, ``UnauthorizedError`` without a key.
    """
    if not url:
        return None
    if not key:
        raise UnauthorizedError(f"the gateway {url[:200]} needs an API key", hint=f"set {KEY_VARIABLE}, or --api-key")
    from akili_cli.adapters.net.gateway import Gateway
    from akili_cli.domain.clock import SystemClock

    gateway = Gateway(url, key, clock=SystemClock())
    if gateway.in_the_clear:
        render.talk(f"warning: the API key travels to {gateway.name} in the clear; use https", "yellow")
    return gateway


@contextmanager
def read_from(gateway: Gateway | None) -> Iterator[None]:
    """Turn what a gateway's answer lacks into an error in words; of data of this machine it would be a bug."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if gateway is None:
            raise
        raise AkiliError(f"{gateway.name} answered with something else than was asked for ({error!r:.80})") from None


async def found(gateway: Gateway, path: str, typed: str, what: str) -> Mapping[str, Any]:
    """Give the one row of a list with this name, or whose id begins so.

    Raises ``NotFoundError``, and ``ConflictError`` when there are several.
    """
    rows = await gateway.rows(path, {"name": typed}, 2) if typed else []
    if not rows and len(typed) >= MIN_TYPED:
        rows = [row for row in await gateway.rows(path) if str(row.get("id")).startswith(typed.lower())]
    if not rows:
        raise NotFoundError(f"there is no {what} {typed[:80]!r}")
    if len(rows) > 1:
        raise ConflictError(f"{typed[:80]!r} is more than one {what}", hint="name one by its id")
    return dict(rows[0])


def part(text: str) -> str:
    """Write a text as one part of a path."""
    return quote(text, safe="")


def check_here() -> None:
    """Raise ``UsageError`` for a command that would work on this machine while a gateway is chosen for all commands."""
    url, command = os.environ.get(URL_VARIABLE), options.given.command
    if url and command not in HERE:
        what = f"akili {command}" if command else "the prompt"
        raise UsageError(
            f"{what} works on this machine, and {URL_VARIABLE} names a gateway; nothing was done",
            hint=f"for this machine: env -u {URL_VARIABLE} akili {command or ''}".rstrip(),
        )


def only_here(gateway: Gateway | None, what: str) -> None:
    """Raise ``UsageError`` when a gateway was chosen for something that is done on this machine only."""
    if gateway is not None:
        raise UsageError(
            f"{what} works on this machine only, and {gateway.name} was chosen; nothing was done",
            hint=f"leave out --gateway-url, or: env -u {URL_VARIABLE} akili ...",
        )
