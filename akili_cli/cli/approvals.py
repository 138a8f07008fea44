"""``akili approvals``: what waits for a human, and the ruling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.domain.calls import Status
from akili_cli.domain.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from akili_cli.bootstrap.app import App
    from akili_cli.core.approvals.model import Approval
    from akili_cli.domain.calls import StepResult

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See what waits for a human, and rule on it.",
)
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


@app.command(help="Approve one call or a whole plan, run exactly it, once, and print what came of it.")
def approve(
    approval_id: str = typer.Argument(..., help="An approval's id (or its beginning), or a plan's."),
    only: str = typer.Option("", "--only", help="Of a plan, only these steps: 1,3."),
    change: list[str] = typer.Option([], "--set", help="Change an argument first: name=value; policy rules anew."),
    as_json: bool = JSON,
) -> None:
    """Approve and run."""
    from akili_cli.core.approvals.plans import PREFIX

    if approval_id.startswith(PREFIX):
        if change:
            raise UsageError("a plan is approved as it is; --set is for single calls")
        raise typer.Exit(run(_approve_plan(approval_id, _steps(only), as_json)))
    if only:
        raise UsageError("--only is for plans")
    raise typer.Exit(run(_approve(approval_id, _changes(change), as_json)))


@app.command(help="Deny one call or a whole plan; nothing runs.")
def deny(
    approval_id: str,
    feedback: str = typer.Option("", "--feedback", "-m", help="Words for whoever asked."),
    as_json: bool = JSON,
) -> None:
    """Deny."""
    from akili_cli.core.approvals.plans import PREFIX

    if approval_id.startswith(PREFIX):
        run(_deny_plan(approval_id, as_json))
    else:
        run(_deny(approval_id, feedback, as_json))


def _steps(only: str) -> tuple[int, ...]:
    words = [word.strip() for word in only.split(",") if word.strip()]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise UsageError(f"--only takes step numbers like 1,3, not {only!r}")
    return tuple(int(word) for word in words)


def _changes(pairs: list[str]) -> dict[str, object]:
    out: dict[str, object] = {}
    for text in pairs:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--set takes name=value, not {text!r}")
        out[name] = value
    return out


async def _list(everything: bool, as_json: bool) -> None:
    from akili_cli.bootstrap.app import open_approvals
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.approvals.model import ApprovalStatus
    from akili_cli.core.approvals.request import as_card

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
    from akili_cli.core.approvals.request import as_card

    async with opened_state() as state:
        approval = await open_approvals(state).get(approval_id)
    if as_json:
        render.out_json(as_card(approval))
    else:
        for line in card_lines(approval):
            render.out(line)


async def _approve(approval_id: str, changes: dict[str, object], as_json: bool) -> int:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.agent.report import EXIT_CODES

    async with opened_app() as app_:
        if changes:
            approval, step = await app_.pipeline.amend(approval_id, changes, principal())
        else:
            approval, step = await app_.pipeline.resume(approval_id, principal())
        await _answer_conversation(app_, approval, step)
    _print_step(approval, step, as_json)
    if approval.conversation_id is not None and not as_json:
        render.talk(f"go on with: akili query --conversation-id {approval.conversation_id} -m 'go on'")
    return EXIT_CODES[step.status]


async def _approve_plan(plan_id: str, only: tuple[int, ...], as_json: bool) -> int:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.agent.report import EXIT_CODES, step_dict

    async with opened_app() as app_:
        done = await app_.pipeline.apply_plan(plan_id, principal(), only)
        for approval, step in done:
            await _answer_conversation(app_, approval, step)
    if as_json:
        steps = [{"step": a.plan_index, "approval_id": a.id, "output": s.text, **step_dict(s)} for a, s in done]
        render.out_json({"plan": plan_id, "steps": steps})
    else:
        for approval, step in done:
            render.talk(f"step {approval.plan_index}: {approval.tool}: {step.status}")
            render.out(step.text)
    return max((EXIT_CODES[step.status] for _approval, step in done), default=0)


async def _answer_conversation(app_: App, approval: Approval, step: StepResult) -> None:
    if app_.history is None or approval.conversation_id is None:
        return
    try:
        await app_.history.replace_result(
            approval.conversation_id, approval.call_id, step.text, step.status is not Status.OK, step.untrusted
        )
    except NotFoundError as error:  # the call has run: what came of it must be shown all the same
        render.talk(f"the conversation does not learn of it: {error}", "yellow")


def _print_step(approval: Approval, step: StepResult, as_json: bool) -> None:
    from akili_cli.core.agent.report import step_dict

    if as_json:
        render.out_json({"approval_id": approval.id, "output": step.text, **step_dict(step)})
        return
    word = "approved" if step.status is not Status.APPROVAL_REQUIRED else "one more must approve"
    render.talk(f"{word} {approval.id[:8]}: {approval.tool}: {step.status}")
    render.out(step.text)


async def _deny_plan(plan_id: str, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal

    async with opened_app() as app_:
        plan = await app_.pipeline.refuse_plan(plan_id, principal())
    if as_json:
        render.out_json({"plan": plan.id, "status": "denied"})
    else:
        render.talk(f"denied {plan.id}; nothing was run")


async def _deny(approval_id: str, feedback: str, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.approvals.request import as_card

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
