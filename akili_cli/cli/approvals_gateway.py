"""What waits for a human at a gateway, and the ruling: the same cards and plans as of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from akili_cli.adapters.net.gateway import Gateway
from akili_cli.cli import render
from akili_cli.cli.card import card_lines
from akili_cli.cli.plans import plan_lines
from akili_cli.cli.received import received
from akili_cli.cli.remote import MIN_TYPED, part, read_from
from akili_cli.core.agent.exits import EXIT_CODES
from akili_cli.core.approvals.model import ApprovalStatus
from akili_cli.core.approvals.request import SHORT_ID_CHARS
from akili_cli.domain.calls import Status
from akili_cli.domain.errors import ConflictError, NotFoundError, UsageError

PATH = "/v1/approvals"
ID_CHARS = 32


async def cards(gateway: Gateway, everything: bool) -> list[dict[str, Any]]:
    """Give the cards that its caller may see, newest first."""
    return await gateway.rows(PATH, {"status": None if everything else "pending"})


async def card(gateway: Gateway, typed: str) -> Mapping[str, Any]:
    """Give one card by its id or its beginning; raises as ``ApprovalQueue.get`` here."""
    typed = typed.strip().lower()
    if len(typed) < MIN_TYPED:
        raise UsageError(f"{typed!r} is too short for an id; give {MIN_TYPED} characters or more")
    if len(typed) == ID_CHARS:
        with read_from(gateway):
            return dict(await gateway.get(f"{PATH}/{part(typed)}"))
    with read_from(gateway):
        found = [one for one in await cards(gateway, True) if str(one["id"]).startswith(typed)]
    if not found:
        raise NotFoundError(f"no approval {typed[:80]!r}", hint="akili approvals list --all shows what there is")
    if len(found) > 1:
        raise ConflictError(f"{typed!r} is the beginning of {len(found)} approvals; give more of it")
    return found[0]


async def show(gateway: Gateway, typed: str, as_json: bool) -> None:
    """Show one card whole."""
    known = await card(gateway, typed)
    if as_json:
        render.out_json(known)
        return
    approval, facts = received(known)
    for line in card_lines(approval, facts):
        render.out(line)
    if approval.status is ApprovalStatus.PENDING:
        name = approval.plan_id or approval.id[:SHORT_ID_CHARS]
        render.talk(f"akili approvals approve {name} runs exactly this, once; akili approvals deny {name} refuses it")


async def show_plan(gateway: Gateway, plan_id: str, as_json: bool) -> None:
    """Show a plan whole."""
    plan = await gateway.get(f"/v1/plans/{part(plan_id)}")
    if as_json:
        render.out_json(plan)
        return
    with read_from(gateway):
        lines = plan_lines(plan)
    for line in lines:
        render.out(line)


async def approve(gateway: Gateway, typed: str, changes: Mapping[str, object], as_json: bool) -> int:
    """Approve one call and say what came of it; what was refused or failed is raised."""
    approval, facts = received(await card(gateway, typed))
    if not as_json and not changes and approval.status is ApprovalStatus.PENDING:
        for line in card_lines(approval, facts):
            render.talk(line, "dim")
    body = {"arguments": dict(changes)} if changes else {}
    done = await gateway.post(f"{PATH}/{part(approval.id)}/approve", body)
    with read_from(gateway):
        waits, output, success = done["status"] == "pending", done.get("output"), done.get("success")
    if as_json:
        render.out_json(done)
    else:
        what = "one more must approve" if waits else "approved"
        ended = Status.APPROVAL_REQUIRED if waits else Status.OK if success else "its run goes on"
        render.talk(f"{what} {approval.id[:SHORT_ID_CHARS]}: {approval.tool}: {ended}")
        if output:
            render.out(str(output))
    return EXIT_CODES[Status.APPROVAL_REQUIRED] if waits else 0


async def approve_plan(gateway: Gateway, plan_id: str, only: tuple[int, ...], as_json: bool) -> int:
    """Approve a plan, or some of its steps, and say what came of each."""
    path = f"/v1/plans/{part(plan_id)}"
    if not as_json:
        plan = await gateway.get(path)
        with read_from(gateway):
            lines = plan_lines(plan) if plan["status"] == "pending" else []
        for line in lines:
            render.talk(line, "dim")
    done = await gateway.post(f"{path}/apply", {"only": list(only)} if only else {})
    with read_from(gateway):
        steps = [(one["step"], one["tool"], Status(one["status"]), str(one["output"])) for one in done["steps"]]
    if as_json:
        render.out_json(done)
    for number, tool, status, output in [] if as_json else steps:
        render.talk(f"step {number}: {tool}: {status}")
        render.out(output)
    return max((EXIT_CODES[status] for _number, _tool, status, _output in steps), default=0)


async def deny(gateway: Gateway, typed: str, feedback: str, as_json: bool) -> None:
    """Deny one call."""
    approval, _facts = received(await card(gateway, typed))
    done = await gateway.post(f"{PATH}/{part(approval.id)}/deny", {"feedback": feedback})
    if as_json:
        render.out_json(done)
    else:
        render.talk(f"denied {approval.id[:SHORT_ID_CHARS]}: {approval.tool}; nothing was run")


async def deny_plan(gateway: Gateway, plan_id: str, as_json: bool) -> None:
    """Deny a plan."""
    await gateway.post(f"/v1/plans/{part(plan_id)}/deny")
    if as_json:
        render.out_json({"plan": plan_id, "status": "denied"})
    else:
        render.talk(f"denied {plan_id}; nothing was run")
