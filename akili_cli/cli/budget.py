"""``akili budget``: what was spent, what is left."""

from __future__ import annotations

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help="Show what was spent today and what is left.")
def budget(
    user: str | None = typer.Option(None, "--user", help="Whose; yourself by default."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show the day's budget in USD."""
    run(_budget(user, as_json))


async def _budget(user: str | None, as_json: bool) -> None:
    from dataclasses import asdict

    from akili_cli.bootstrap.app import open_ledger
    from akili_cli.cli.opening import opened_state, principal

    who = user or principal().user
    async with opened_state() as state:
        status = await open_ledger(state).status(who)
    if as_json:
        render.out_json({"user": who, **asdict(status)})
        return
    render.out_fields(
        {
            "user": who,
            "day": f"{status.day} (UTC)",
            "limit": f"${status.limit_usd:.2f}",
            "spent": f"${status.spent_usd:.4f}",
            "reserved": f"${status.reserved_usd:.4f}",
            "left": f"${status.remaining_usd:.4f}",
        }
    )
