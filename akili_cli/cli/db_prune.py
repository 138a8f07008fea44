"""``akili db prune``: delete what is long over; the audit is never touched."""

from __future__ import annotations

from akili_cli.cli import render
from akili_cli.domain.errors import UsageError

DAY_S = 86_400.0


def parse_age(text: str) -> float:
    """Turn ``90d`` or ``36h`` into seconds, a day at least; raises ``UsageError``."""
    from akili_cli.domain.durations import parse_duration

    try:
        age_s = parse_duration(text)
    except ValueError:
        age_s = 0.0
    if age_s < DAY_S:
        raise UsageError(f"--older-than takes an age of a day at least, like 90d or 36h, not {text[:40]!r}")
    return age_s


async def prune_older(age_s: float, *, dry_run: bool, as_json: bool) -> None:
    """Delete and say how many rows went."""
    from akili_cli.bootstrap.pruning import prune_state
    from akili_cli.cli.opening import opened_log, opened_state, principal

    async with opened_state() as state:
        if dry_run:
            gone = await prune_state(state, None, principal(), age_s=age_s)
        else:
            async with opened_log(state) as log:
                gone = await prune_state(state, log, principal(), age_s=age_s)
    if as_json:
        render.out_json({"dry_run": dry_run, "older_than_s": age_s, "tables": gone, "rows": sum(gone.values())})
        return
    rows = [(table, count) for table, count in gone.items() if count]
    if rows:
        render.out_table(("TABLE", "ROWS"), rows)
    render.out(f"{sum(gone.values())} rows {'would go' if dry_run else 'deleted'}; the audit keeps what was done")
