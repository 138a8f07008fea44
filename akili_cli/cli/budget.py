"""``akili budget``: what was spent, what is held, what is left, at every level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run

if TYPE_CHECKING:
    from akili_cli.core.budget.model import BudgetTree, Level

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help="Show what was spent today and what is left.")
def budget(
    user: str | None = typer.Option(None, "--user", help="Whose; yourself by default."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show the day's budget in USD: the organisation, the user, and the user's runs of today."""
    run(_budget(user, as_json))


async def _budget(user: str | None, as_json: bool) -> None:
    from akili_cli.bootstrap.app import open_ledger
    from akili_cli.cli.opening import opened_state, principal

    who = user or principal().user
    async with opened_state() as state:
        ledger = open_ledger(state)
        tree, status = await ledger.tree(who), await ledger.status(who)
    if as_json:
        render.out_json(tree.as_dict(status))
        return
    render.talk(f"{tree.day} (UTC)")
    render.out_table(("LEVEL", "LIMIT", "SPENT", "RESERVED", "LEFT", "TOKENS", "WHO"), _rows(tree))


def _rows(tree: BudgetTree) -> list[tuple[str, ...]]:
    below = {level.name: level for level in tree.runs}
    runs = [(level, _depth(level, below)) for level in tree.runs]
    return [_row(tree.organisation, 0), _row(tree.user, 1), *(_row(level, 2 + depth) for level, depth in runs)]


def _row(level: Level, depth: int) -> tuple[str, ...]:
    used = level.spent_tokens + level.reserved_tokens
    return (
        f"{'  ' * depth}{level.level}",
        _usd(level.limit_usd, 2),
        _usd(level.spent_usd, 4),
        _usd(level.reserved_usd, 4),
        _usd(level.remaining_usd, 4),
        str(used) if level.max_tokens is None else f"{used}/{level.max_tokens}",
        level.name,
    )


def _depth(level: Level, known: dict[str, Level]) -> int:
    depth, above = 0, level.parent
    while above in known and depth < len(known):
        depth, above = depth + 1, known[above].parent
    return depth


def _usd(amount: float | None, digits: int) -> str:
    return "-" if amount is None else f"${amount:.{digits}f}"
