"""``akili budget``: what was spent, what is held, what is left, at every level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.cli.remote import KEY, URL, chosen, read_from

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway

app = typer.Typer(add_completion=False, rich_markup_mode=None)
Level = Mapping[str, Any]


@app.command(help="Show what was spent today and what is left.")
def budget(
    user: str | None = typer.Option(None, "--user", help="Whose; yourself by default."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Show the day's budget in USD: the organisation, the user, and the user's runs of today."""
    run(_budget(user, as_json, chosen(gateway_url, api_key)))


async def _budget(user: str | None, as_json: bool, gateway: Gateway | None) -> None:
    told = await _here(user) if gateway is None else await gateway.get("/v1/budget", {"user": user})
    if as_json:
        render.out_json(told)
        return
    with read_from(gateway):
        rows, day = _rows(told), str(told["day"])
    render.talk(f"{day} (UTC)")
    render.out_table(("LEVEL", "LIMIT", "SPENT", "RESERVED", "LEFT", "TOKENS", "WHO"), rows)


async def _here(user: str | None) -> Level:
    from akili_cli.bootstrap.app import open_ledger
    from akili_cli.cli.opening import opened_state, principal

    who = user or principal().user
    async with opened_state() as state:
        ledger = open_ledger(state)
        return (await ledger.tree(who)).as_dict(await ledger.status(who))


def _rows(told: Level) -> list[tuple[str, ...]]:
    """Give the tree as lines; the organisation is None for those who may not see it."""
    above = [] if told["organisation"] is None else [_row("organisation", told["organisation"], 0)]
    below = {level["name"]: level for level in told["runs"]}
    runs = [_row("run", level, 2 + _depth(level, below)) for level in told["runs"]]
    return [*above, _row("user", {**told, "name": told["user"], "max_tokens": None}, 1), *runs]


def _row(name: str, level: Level, depth: int) -> tuple[str, ...]:
    used = level["spent_tokens"] + level["reserved_tokens"]
    return (
        f"{'  ' * depth}{name}",
        _usd(level["limit_usd"], 2),
        _usd(level["spent_usd"], 4),
        _usd(level["reserved_usd"], 4),
        _usd(level["remaining_usd"], 4),
        str(used) if level["max_tokens"] is None else f"{used}/{level['max_tokens']}",
        level["name"],
    )


def _depth(level: Level, known: Mapping[str, Level]) -> int:
    depth, above = 0, level["parent"]
    while above in known and depth < len(known):
        depth, above = depth + 1, known[above]["parent"]
    return depth


def _usd(amount: float | None, digits: int) -> str:
    return "-" if amount is None else f"${amount:.{digits}f}"
