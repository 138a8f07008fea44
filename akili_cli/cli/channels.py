"""``akili channels``: where messages go, whether that works, and what was sent."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.cli.remote import KEY, URL, chosen, read_from
from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway
    from akili_cli.cli.prompt import TerminalAsker
    from akili_cli.features.notifications.model import Channel, Delivery

TYPES = "telegram, slack, whatsapp, signal, email, webhook or apprise"
app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Say where messages go, try it, and see what was sent.",
)
JSON = typer.Option(False, "--json", help="Print JSON.")
NAME = typer.Argument(help="The channel's name.")


@app.command(help="Make a channel known: akili channels add ops telegram --set chat_id=-100123")
def add(
    name: str = NAME,
    kind: str = typer.Argument(metavar="TYPE", help=f"One of {TYPES}."),
    settings: list[str] = typer.Option([], "--set", metavar="KEY=VALUE", help="What the type needs; repeatable."),
    credential_ref: str | None = typer.Option(
        None, "--credential-ref", metavar="REF", help="Where its secret is kept: env://, file:// or keyring://."
    ),
    disabled: bool = typer.Option(False, "--disabled", help="Known, but not used yet."),
    as_json: bool = JSON,
) -> None:
    """Add a channel."""
    run(_add(name, kind, _pairs(settings), credential_ref, enabled=not disabled, as_json=as_json))


@app.command("list", help="List the channels.")
def list_(as_json: bool = JSON, gateway_url: str | None = URL, api_key: str | None = KEY) -> None:
    """List channels."""
    run(_list(as_json, chosen(gateway_url, api_key)))


@app.command(help="Show one channel; its credential is never shown.")
def show(name: str = NAME, as_json: bool = JSON) -> None:
    """Show a channel."""
    run(_show(name, as_json))


@app.command(help="Send the fixed test message now. Exit 0: taken, 1: failed, 2: refused or held for approval.")
def test(name: str = NAME, as_json: bool = JSON) -> None:
    """Test a channel through policy, approval and audit like any other call."""
    raise typer.Exit(run(_test(name, as_json)))


@app.command(help="Forget a channel; what was sent to it stays on record.")
def rm(name: str = NAME, as_json: bool = JSON) -> None:
    """Remove a channel."""
    run(_remove(name, as_json))


@app.command(help="Use a channel again.")
def enable(name: str = NAME, as_json: bool = JSON) -> None:
    """Switch a channel on."""
    run(_enable(name, enabled=True, as_json=as_json))


@app.command(help="Keep a channel, and send nothing to it: messages for it fail at once.")
def disable(name: str = NAME, as_json: bool = JSON) -> None:
    """Switch a channel off."""
    run(_enable(name, enabled=False, as_json=as_json))


@app.command(help="Show what was sent, what waits and what failed, newest first, with the reason.")
def deliveries(
    channel: str | None = typer.Option(None, "--channel", help="Only to this channel."),
    state: list[str] = typer.Option([], "--state", help="Only these: queued, held, sent, failed, interrupted ..."),
    limit: int = typer.Option(50, "--limit", min=1, max=1000, help="At most so many."),
    as_json: bool = JSON,
) -> None:
    """List deliveries."""
    run(_deliveries(channel, state, limit, as_json))


def _pairs(settings: list[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for one in settings:
        key, mark, value = one.partition("=")
        if not mark or not key:
            raise UsageError(f"--set takes KEY=VALUE, not {one[:60]!r}")
        if key in out:
            raise UsageError(f"--set {key[:60]} is given twice")
        out[key] = value
    return out


async def _add(
    name: str, kind: str, config: dict[str, str], credential_ref: str | None, *, enabled: bool, as_json: bool
) -> None:
    from akili_cli.cli.opening import opened_app, principal

    async with opened_app() as app_:
        channel = await app_.notifications.service.add(
            name, kind, config, principal(), credential_ref=credential_ref, enabled=enabled
        )
        on = app_.state.loaded.settings.notification.enabled
    _said(channel, "added", as_json)
    if not on:
        render.talk("nothing is sent while notification.enabled is false", "yellow")


async def _list(as_json: bool, gateway: Gateway | None) -> None:
    found = await _channels() if gateway is None else await gateway.rows("/v1/notification-channels")
    if as_json:
        render.out_json(found)
    elif found:
        with read_from(gateway):
            rows = [
                (c["name"], c["channel_type"], "on" if c["enabled"] else "off", c["user_id"], _where(c["config"]))
                for c in found
            ]
        render.out_table(("NAME", "TYPE", "STATE", "OWNER", "WHERE"), rows)
    else:
        render.talk("no channel is known; see: akili channels add --help")


async def _channels() -> list[dict[str, Any]]:
    from akili_cli.cli.opening import opened_state
    from akili_cli.features.notifications.service import NotificationReader

    async with opened_state() as state:
        return [one.as_dict() for one in await NotificationReader(state.db, state.org).channels()]


async def _show(name: str, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_state
    from akili_cli.features.notifications.service import NotificationReader

    async with opened_state() as state:
        channel = await NotificationReader(state.db, state.org).channel(name)
    shown = channel.as_dict()
    if as_json:
        render.out_json(shown)
    else:
        render.out_fields({**shown, "config": _where(channel.config)})


async def _test(name: str, as_json: bool) -> int:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.agent.exits import EXIT_CODES
    from akili_cli.domain.calls import Status
    from akili_cli.features.notifications.courier import LEASE_S
    from akili_cli.features.notifications.model import State

    asker = _asker(as_json)
    async with opened_app(asker) as app_:
        if asker is not None:
            asker.app = app_
        delivery = await app_.notifications.service.test(name, principal(), LEASE_S)
        code = 1
        if delivery.state is State.CLAIMED:
            delivery, step = await app_.notifications.worker(app_.pipeline).send(delivery)
            code = 0 if step.status is Status.OK else EXIT_CODES[step.status]
    if as_json:
        render.out_json({"status": "sent" if code == 0 else "failed", **delivery.as_dict()})
    elif code == 0:
        render.talk(f"sent to {name}" + (f"; {delivery.reason}" if delivery.reason else ""))
    else:
        render.talk(f"not sent to {name}: {delivery.reason}", "red")
    return code


def _asker(as_json: bool) -> TerminalAsker | None:
    if as_json or sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    from akili_cli.cli.prompt import TerminalAsker

    return TerminalAsker()


async def _remove(name: str, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal

    async with opened_app() as app_:
        channel = await app_.notifications.service.remove(name, principal())
    _said(channel, "removed", as_json)


async def _enable(name: str, *, enabled: bool, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal

    async with opened_app() as app_:
        channel = await app_.notifications.service.enable(name, principal(), enabled=enabled)
    _said(channel, "enabled" if enabled else "disabled", as_json)


async def _deliveries(channel: str | None, states: list[str], limit: int, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_state
    from akili_cli.domain.clock import iso
    from akili_cli.domain.nearest import nearest
    from akili_cli.features.notifications.model import State
    from akili_cli.features.notifications.service import NotificationReader

    known = [str(one) for one in State]
    for wrong in (one for one in states if one not in known):
        raise UsageError(
            f"there is no state {wrong[:40]!r}{nearest(wrong, known)}", hint=f"states are {', '.join(known)}"
        )
    async with opened_state() as state:
        reader = NotificationReader(state.db, state.org)
        found = await reader.deliveries(limit=limit, channel=channel, states=[State(one) for one in states])
    if as_json:
        render.out_json([one.as_dict() for one in found])
    elif found:
        rows = [
            (d.id[:8], iso(d.created_at), d.channel, d.state, d.tries, _progress(d), d.subject or "-", d.reason)
            for d in found
        ]
        render.out_table(("ID", "TIME", "CHANNEL", "STATE", "TRIES", "PARTS", "SUBJECT", "REASON"), rows)
    else:
        render.talk("nothing was to be sent")


def _progress(delivery: Delivery) -> str:
    return "-" if delivery.parts_total is None else f"{delivery.parts_done}/{delivery.parts_total}"


def _where(config: Mapping[str, object]) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(config.items())) or "-"


def _said(channel: Channel, verb: str, as_json: bool) -> None:
    if as_json:
        render.out_json(channel.as_dict())
    else:
        render.talk(f"{verb} {channel.name} ({channel.type})")
