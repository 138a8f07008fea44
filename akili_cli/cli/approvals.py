"""``akili approvals``: what waits for a human, and the ruling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run
from akili_cli.cli.remote import KEY, URL, chosen, read_from
from akili_cli.domain.calls import Status
from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway
    from akili_cli.bootstrap.app import App, State
    from akili_cli.core.approvals.model import Approval
    from akili_cli.domain.calls import StepResult

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See what waits for a human, and rule on it.",
)
MAX_DIGITS = 6
MAX_SHOWN = 60
PLAN = "plan-"
COLUMNS = ("status", "risk", "tool", "user")
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command("list", help="List approvals, newest first.")
def list_(
    everything: bool = typer.Option(False, "--all", help="Resolved and expired ones too."),
    as_json: bool = JSON,
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """List what is pending."""
    run(_list(everything, as_json, chosen(gateway_url, api_key)))


@app.command(help="Show one approval or plan whole: what would run, where, and why it asks.")
def show(approval_id: str, as_json: bool = JSON, gateway_url: str | None = URL, api_key: str | None = KEY) -> None:
    """Show the card, or the whole plan."""
    gateway, is_plan = chosen(gateway_url, api_key), approval_id.startswith(PLAN)
    if gateway is None:
        run((_show_plan if is_plan else _show)(approval_id, as_json))
        return
    from akili_cli.cli import approvals_gateway as there

    run((there.show_plan if is_plan else there.show)(gateway, approval_id, as_json))


@app.command(help="Approve one call or a whole plan, run exactly it, once, and print what came of it.")
def approve(
    approval_id: str = typer.Argument(..., help="An approval's id (or its beginning), or a plan's."),
    only: str | None = typer.Option(None, "--only", help="Of a plan, only these steps: 1,3."),
    change: list[str] = typer.Option([], "--set", help="Change an argument first: name=value; policy rules anew."),
    as_json: bool = JSON,
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Approve and run."""
    gateway = chosen(gateway_url, api_key)
    if approval_id.startswith(PLAN):
        if change:
            raise UsageError("a plan is approved as it is; --set is for single calls")
        raise typer.Exit(_plan_approved(approval_id, () if only is None else _steps(only), as_json, gateway))
    if only is not None:
        raise UsageError("--only is for plans")
    changes = _changes(change)
    if gateway is None:
        raise typer.Exit(run(_approve(approval_id, changes, as_json)))
    from akili_cli.cli import approvals_gateway as there

    raise typer.Exit(run(there.approve(gateway, approval_id, changes, as_json)))


def _plan_approved(plan_id: str, only: tuple[int, ...], as_json: bool, gateway: Gateway | None) -> int:
    if gateway is None:
        return run(_approve_plan(plan_id, only, as_json))
    from akili_cli.cli import approvals_gateway as there

    return run(there.approve_plan(gateway, plan_id, only, as_json))


@app.command(help="Deny one call or a whole plan; nothing runs.")
def deny(
    approval_id: str,
    feedback: str = typer.Option("", "--feedback", "-m", help="Words for whoever asked."),
    as_json: bool = JSON,
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Deny."""
    gateway, is_plan = chosen(gateway_url, api_key), approval_id.startswith(PLAN)
    if gateway is None:
        run(_deny_plan(approval_id, as_json) if is_plan else _deny(approval_id, feedback, as_json))
        return
    from akili_cli.cli import approvals_gateway as there

    if is_plan:
        run(there.deny_plan(gateway, approval_id, as_json))
    else:
        run(there.deny(gateway, approval_id, feedback, as_json))


def _steps(only: str) -> tuple[int, ...]:
    words = [word.strip() for word in only.split(",") if word.strip()]
    if not words or not all(word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS for word in words):
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


async def _list(everything: bool, as_json: bool, gateway: Gateway | None) -> None:
    if gateway is None:
        cards: Sequence[Mapping[str, Any]] = await _listed(everything, whole=as_json)
    else:
        from akili_cli.cli import approvals_gateway as there

        cards = await there.cards(gateway, everything)
    if as_json:
        render.out_json(cards)
    elif not cards:
        render.talk("nothing waits for approval")
    else:
        with read_from(gateway):
            rows = [(*(card[name] for name in ("short_id", *COLUMNS)), _one_line(card)) for card in cards]
        render.out_table(("ID", *(name.upper() for name in COLUMNS), "WHAT"), rows)


async def _listed(everything: bool, *, whole: bool) -> list[Mapping[str, Any]]:
    """Give the cards of this machine; ``whole`` ones try the sandbox's layers."""
    from akili_cli.bootstrap.app import open_approvals
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.approvals.model import ApprovalStatus
    from akili_cli.core.approvals.request import as_card

    async with opened_state() as state:
        found = await open_approvals(state).list(None if everything else ApprovalStatus.PENDING)
        if whole:
            return await _cards(state, found)
    return [{**as_card(one), "plan_step": one.plan_index} for one in found]


async def _cards(state: State, approvals: list[Approval]) -> list[Mapping[str, object]]:
    from akili_cli.bootstrap.app import open_ledger, open_sandbox
    from akili_cli.core.execution.cards import whole_card

    ledger, sandbox = open_ledger(state), open_sandbox(state)
    try:
        return [await whole_card(approval, sandbox.layers, ledger) for approval in approvals]
    finally:
        await sandbox.close()


async def _show(approval_id: str, as_json: bool) -> None:
    from akili_cli.bootstrap.app import open_approvals, open_sandbox
    from akili_cli.cli.card import card_lines
    from akili_cli.cli.facts import card_facts
    from akili_cli.cli.opening import opened_state
    from akili_cli.core.approvals.model import ApprovalStatus

    async with opened_state() as state:
        approval = await open_approvals(state).get(approval_id)
        if as_json:
            render.out_json((await _cards(state, [approval]))[0])
            return
        sandbox = open_sandbox(state)
        try:
            facts = await card_facts(state, sandbox.layers, approval)
        finally:
            await sandbox.close()
    for line in card_lines(approval, facts):
        render.out(line)
    if approval.status is ApprovalStatus.PENDING:
        name = approval.plan_id or approval.id[:8]
        render.talk(f"akili approvals approve {name} runs exactly this, once; akili approvals deny {name} refuses it")


async def _show_plan(plan_id: str, as_json: bool) -> None:
    from akili_cli.bootstrap.app import open_approvals, open_ledger
    from akili_cli.cli.opening import opened_state

    async with opened_state() as state:
        plan = (await open_approvals(state).plans.get(plan_id)).as_dict(open_ledger(state).tool_price)
        if as_json:
            render.out_json(plan)
            return
        for line in _plan_lines(state, plan):
            render.out(line)


def _plan_lines(state: State, plan: Mapping[str, object]) -> list[str]:
    from akili_cli.cli.facts import present_text
    from akili_cli.cli.plans import plan_lines

    return plan_lines(plan, lambda tool, effects: present_text(state, tool, effects))


async def _approve(approval_id: str, changes: dict[str, object], as_json: bool) -> int:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.agent.exits import EXIT_CODES

    async with opened_app() as app_:
        if not as_json and not changes:
            await _tell_card(app_, approval_id)
        if changes:
            approval, step = await app_.pipeline.amend(approval_id, changes, principal())
        else:
            approval, step = await app_.pipeline.resume(approval_id, principal())
        await _answer_conversation(app_, approval, step)
    _print_step(approval, step, as_json)
    if approval.conversation_id is not None and not approval.waits and not as_json:
        render.talk(f"go on with: akili query --conversation-id {approval.conversation_id} -m 'go on'")
    return EXIT_CODES[step.status]


async def _tell_card(app_: App, approval_id: str) -> None:
    """Show on stderr what is about to be approved, whole: what was typed may have been copied from a list."""
    from akili_cli.cli.card import card_lines
    from akili_cli.cli.facts import card_facts
    from akili_cli.core.approvals.model import ApprovalStatus

    approval = await app_.approvals.get(approval_id)
    if approval.status is not ApprovalStatus.PENDING:
        return
    for line in card_lines(approval, await card_facts(app_.state, app_.approvals.place.layers, approval)):
        render.talk(line, "dim")


async def _approve_plan(plan_id: str, only: tuple[int, ...], as_json: bool) -> int:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.core.agent.exits import EXIT_CODES
    from akili_cli.core.agent.report import step_dict
    from akili_cli.core.approvals.model import ApprovalStatus

    async with opened_app() as app_:
        if not as_json:
            plan = await app_.approvals.plans.get(plan_id)
            shown = plan.as_dict(app_.pipeline.ledger.tool_price) if plan.status == "pending" else None
            for line in [] if shown is None else _plan_lines(app_.state, shown):
                render.talk(line, "dim")
        done = await app_.pipeline.apply_plan(plan_id, principal(), only)
        for approval, step in done:
            if approval.status is ApprovalStatus.CONSUMED:
                await _answer_conversation(app_, approval, step)
    if as_json:
        steps = [{"step": a.plan_index, "approval_id": a.id, "output": s.text, **step_dict(s)} for a, s in done]
        render.out_json({"plan": plan_id, "steps": steps})
    else:
        for approval, step in done:
            word = "" if approval.status is ApprovalStatus.CONSUMED else "; nothing was done"
            render.talk(f"step {approval.plan_index}: {approval.tool}: {step.status}{word}")
            render.out(step.text)
    return max((EXIT_CODES[step.status] for _approval, step in done), default=0)


async def _answer_conversation(app_: App, approval: Approval, step: StepResult) -> None:
    from akili_cli.core.agent.rulings import tell_outcome

    problem = await tell_outcome(app_.history, approval, step)
    if problem:  # the call has run: what came of it must be shown all the same
        render.talk(problem, "yellow")


def _print_step(approval: Approval, step: StepResult, as_json: bool) -> None:
    from akili_cli.core.agent.report import step_dict

    if as_json:
        render.out_json({"approval_id": approval.id, "output": step.text, **step_dict(step)})
        return
    word = "approved" if step.status is not Status.APPROVAL_REQUIRED else "one more must approve"
    came = "its run goes on with it" if approval.waits and step.status is Status.OK else str(step.status)
    render.talk(f"{word} {approval.id[:8]}: {approval.tool}: {came}")
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
    from akili_cli.core.agent.rulings import tell_refusal
    from akili_cli.core.approvals.request import as_card

    async with opened_app() as app_:
        approval = await app_.pipeline.refuse(approval_id, principal(), feedback)
        problem = await tell_refusal(app_.history, approval)
        if problem:
            render.talk(problem, "yellow")
    if as_json:
        render.out_json(as_card(approval))
    else:
        render.talk(f"denied {approval.id[:8]}: {approval.tool}; nothing was run")


def _one_line(card: Mapping[str, Any]) -> str:
    """Give the beginning of what would run, for the list; ``show`` has it whole."""
    from akili_cli.cli.card import straight, visible
    from akili_cli.domain.calls import canonical_json

    arguments = dict(card["arguments"])
    first = next((str(arguments[key]) for key in ("command", "path", "url") if key in arguments), None)
    text = visible(straight(first if first is not None else canonical_json(arguments)))
    step = f" step {card['plan_step']}" if card.get("plan_step") is not None else ""
    place = f"{card['plan']}{step}: " if card["plan"] is not None else ""
    return place + (text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "...")
