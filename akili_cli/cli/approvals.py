"""``akili approvals``: what waits for a human, and the ruling."""

from __future__ import annotations

from typing import Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="See what waits for a human, and rule on it.")
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command("list", help="List approvals, newest first.")
def list_(
    everything: bool = typer.Option(False, "--all", help="Resolved and expired ones too."),
    as_json: bool = JSON,
) -> None:
    """List what is pending."""
    run(_list(everything, as_json))


@app.command(help="Show one approval whole: what would run, where, and why it asks.")
def show(approval_id: str, as_json: bool = JSON) -> None:
    """Show the card."""
    run(_show(approval_id, as_json))


@app.command(help="Approve one, run exactly it, once, and print what came of it.")
def approve(approval_id: str, as_json: bool = JSON) -> None:
    """Approve and run."""
    raise typer.Exit(run(_approve(approval_id, as_json)))


@app.command(help="Deny one; nothing runs.")
def deny(
    approval_id: str,
    feedback: str = typer.Option("", "--feedback", "-m", help="Words for whoever asked."),
    as_json: bool = JSON,
) -> None:
    """Deny."""
    run(_deny(approval_id, feedback, as_json))


async def _list(everything: bool, as_json: bool) -> None:
    from akili_cli.bootstrap.app import open_approvals
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.approvals.model import ApprovalStatus
    from akili_cli.core.approvals.queue import as_card

    async with opened_state() as state:
        found = await open_approvals(state).list(None if everything else ApprovalStatus.PENDING)
    if as_json:
        render.out_json([as_card(approval) for approval in found])
    elif not found:
        render.talk("nothing waits for approval")
    else:
        render.out_table(
            ("ID", "STATUS", "RISK", "TOOL", "USER", "WHAT"),
            [(a.id[:8], a.status, a.risk, a.tool, a.user, _one_line(a.arguments)) for a in found],
        )


async def _show(approval_id: str, as_json: bool) -> None:
    from akili_cli.bootstrap.app import open_approvals
    from akili_cli.cli.card import card_lines
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.approvals.queue import as_card

    async with opened_state() as state:
        approval = await open_approvals(state).get(approval_id)
    if as_json:
        render.out_json(as_card(approval))
    else:
        for line in card_lines(approval):
            render.out(line)


async def _approve(approval_id: str, as_json: bool) -> int:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.agent.report import EXIT_CODES, step_dict

    async with opened_app() as app_:
        approval, step = await app_.pipeline.resume(approval_id, principal())
        if app_.history is not None and approval.conversation_id is not None:
            await app_.history.replace_result(
                approval.conversation_id, approval.call_id, step.text, step.status != "ok"
            )
    if as_json:
        render.out_json({"approval_id": approval.id, "output": step.text, **step_dict(step)})
    else:
        render.talk(f"approved {approval.id[:8]}: {approval.tool}: {step.status}")
        render.out(step.text)
        if approval.conversation_id is not None:
            render.talk(f"go on with: akili query --conversation-id {approval.conversation_id} -m 'go on'")
    return EXIT_CODES[step.status]


async def _deny(approval_id: str, feedback: str, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.approvals.queue import as_card

    async with opened_app() as app_:
        approval = await app_.pipeline.refuse(approval_id, principal(), feedback)
        if app_.history is not None and approval.conversation_id is not None:
            told = f"Refused: {approval.resolved_by} said no" + (f": {feedback}" if feedback else "")
            await app_.history.replace_result(approval.conversation_id, approval.call_id, told, True)
    if as_json:
        render.out_json(as_card(approval))
    else:
        render.talk(f"denied {approval.id[:8]}: {approval.tool}; nothing was run")


def _one_line(arguments: Any) -> str:  # noqa: ANN401  # any JSON object
    from akili_cli.domain.calls import canonical_json

    first = next((str(arguments[key]) for key in ("command", "path", "url") if key in arguments), None)
    text = first if first is not None else canonical_json(arguments)
    return text if len(text) <= 60 else text[:57] + "..."
