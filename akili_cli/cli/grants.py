"""``akili grants``: rulings that stand for a while."""

from __future__ import annotations

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See and end rulings that stand for a while.",
)
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command("list", help="List what was approved for a session or as a pattern.")
def list_(
    everything: bool = typer.Option(False, "--all", help="Ended and revoked ones too."), as_json: bool = JSON
) -> None:
    """List grants."""
    run(_list(everything, as_json))


@app.command(help="End one at once.")
def revoke(grant_id: str, as_json: bool = JSON) -> None:
    """Revoke a grant."""
    run(_revoke(grant_id, as_json))


async def _list(everything: bool, as_json: bool) -> None:
    from dataclasses import asdict

    from akili_cli.bootstrap.app import open_approvals
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.approvals.grants import describe
    from akili_cli.domain.clock import iso

    async with opened_state() as state:
        found = await open_approvals(state).grants.list(everything=everything)
    if as_json:
        render.out_json([{**asdict(grant), "covers": describe(grant)} for grant in found])
    elif not found:
        render.talk("no grant stands")
    else:
        render.out_table(
            ("ID", "USER", "SCOPE", "USES", "ENDS", "COVERS"),
            [
                (
                    g.id[:8],
                    g.user,
                    g.scope,
                    g.uses,
                    iso(g.expires_at) if g.revoked_at is None else f"revoked {iso(g.revoked_at)}",
                    describe(g),
                )
                for g in found
            ],
        )


async def _revoke(grant_id: str, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.approvals.grants import describe

    async with opened_app() as app:
        grant = await app.pipeline.revoke_grant(grant_id, principal())
    if as_json:
        render.out_json({"id": grant.id, "status": "revoked"})
    else:
        render.talk(f"revoked {grant.id[:8]}: {describe(grant)}")
