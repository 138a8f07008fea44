"""``akili keys``: who may use the gateway, with which key."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run as run_async
from akili_cli.cli.drafts import checked
from akili_cli.domain.errors import UsageError

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Make, list and revoke API keys."
)
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command(help="Make a key and print it, once: it is kept only as a hash.")
def create(
    user: str = typer.Option(..., "--user", metavar="USER", help="Whom it speaks for; their role decides what it may."),
    role: str | None = typer.Option(
        None, "--role", metavar="ROLE", help="End it once the user has another role; it gives none."
    ),
    name: str = typer.Option("", "--name", help="What it is for, for people."),
    expires: str | None = typer.Option(None, "--expires", metavar="DURATION", help="Like 90d or 12h; none: never."),
    as_json: bool = JSON,
) -> None:
    """Make a key."""
    given = {"user": user, "role": role, "name": name, "expires_in_s": _seconds(expires)}
    run_async(_create(given, as_json))


@app.command("list", help="List the keys, newest first; the keys themselves are not kept.")
def list_(as_json: bool = JSON) -> None:
    """List keys."""
    run_async(_list(as_json))


@app.command(help="End a key now, on every node.")
def revoke(
    key_id: str = typer.Argument(metavar="ID", help="The 8 characters behind akili_, as `akili keys list` shows them."),
    as_json: bool = JSON,
) -> None:
    """Revoke a key."""
    run_async(_revoke(key_id, as_json))


async def _create(given: Mapping[str, object], as_json: bool) -> None:
    from akili_cli.bootstrap.keys import open_keys
    from akili_cli.cli.opening import opened_log, opened_state, principal
    from akili_cli.features.keys.model import KeyDraft

    draft = checked(KeyDraft, given)
    async with opened_state() as state, opened_log(state) as log:
        key, token = await open_keys(state, log).create(draft, principal())
        told = key.as_dict(state.clock.now())
    if as_json:
        render.out_json({**told, "key": token})
    else:
        until = f", until {told['expires_at']}" if key.expires_at is not None else ""
        render.talk(f"made the key {key.id} for {key.user}{until}; it is shown this once")
        render.out(token)


async def _list(as_json: bool) -> None:
    from akili_cli.cli.opening import opened_state
    from akili_cli.features.keys.service import KeyReader

    async with opened_state() as state:
        found = [key.as_dict(state.clock.now()) for key in await KeyReader(state.db, state.org, state.clock).keys()]
    if as_json:
        render.out_json(found)
    elif found:
        columns = ("id", "user_id", "role", "status", "created_at", "expires_at", "last_used_at", "name")
        rows = [[_cell(name, key.get(name)) for name in columns] for key in found]
        render.out_table(("ID", "USER", "ROLE", "STATUS", "MADE", "EXPIRES", "USED", "NAME"), rows)
    else:
        render.talk("there is no key; see: akili keys create --help")


async def _revoke(key_id: str, as_json: bool) -> None:
    from akili_cli.bootstrap.keys import open_keys
    from akili_cli.cli.opening import opened_log, opened_state, principal

    async with opened_state() as state, opened_log(state) as log:
        key = await open_keys(state, log).revoke(key_id, principal())
        told = key.as_dict(state.clock.now())
    if as_json:
        render.out_json(told)
    else:
        render.talk(f"revoked the key {key.id} of {key.user}")


def _seconds(text: str | None) -> float | None:
    from akili_cli.domain.durations import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--expires: {error}") from error


def _cell(name: str, value: object) -> str:
    text = "-" if value is None else str(value)
    return text[:16] if name.endswith("_at") else text
