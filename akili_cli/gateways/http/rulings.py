"""Rules on what waits for a human, as whoever calls: finds it if they may see it, rules once, tells what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from akili_cli.core.agent.report import step_dict
from akili_cli.core.agent.rulings import tell_outcome, tell_refusal
from akili_cli.core.approvals.model import Approval
from akili_cli.core.approvals.plans import Plan
from akili_cli.domain.calls import Principal, Status, StepResult
from akili_cli.domain.errors import ConflictError, NotFoundError
from akili_cli.gateways.http.desk import Desk

WAIT_S = 60.0
LOOK_S = 0.5
_ID = re.compile(r"[0-9a-f]{32}")
_FACTS = ("exit_code", "duration_s", "cost_usd", "cached", "layers", "audit_id", "rule")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an approved call; without a ``status`` it has not come to an end yet."""

    status: Status | None = None
    text: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    approval_id: str | None = None


async def seen(desk: Desk, approval_id: str, by: Principal) -> Approval:
    """Give an approval by its whole id to whoever may see it; raises ``NotFoundError``."""
    queue = desk.pipeline.approvals
    if _ID.fullmatch(approval_id):
        with suppress(NotFoundError):  # said below in the words for one that they may not see
            approval = await queue.get(approval_id)
            if queue.approvers.may_see(approval, by):
                return approval
    raise NotFoundError(f"there is no approval {approval_id[:40]!r}", hint="GET /v1/approvals lists what you may see")


async def seen_plan(desk: Desk, plan_id: str, by: Principal) -> Plan:
    """Give a plan to whoever may see all of it; raises ``NotFoundError``."""
    queue = desk.pipeline.approvals
    try:
        plan = await queue.plans.get(plan_id)
    except NotFoundError:
        plan = None
    if plan is None or not all(queue.approvers.may_see(step, by) for step in plan.steps):
        raise NotFoundError(f"there is no plan {plan_id[:40]!r}", hint="the run that made it names it")
    return plan


async def deny(desk: Desk, approval_id: str, by: Principal, feedback: str) -> Approval:
    """Say no; the run that waits for it, or its conversation, learns of it. Raises like ``ApprovalQueue.deny``."""
    _single(await seen(desk, approval_id, by))
    denied = await desk.pipeline.refuse(approval_id, by, feedback)
    await tell_refusal(desk.history, denied)
    return denied


async def approve(desk: Desk, approval_id: str, by: Principal) -> Outcome:
    """Say yes and give what came of the call.

    A run that waits for it goes on by itself, here or on another node: its outcome is waited for, as long as it
    may. Raises like ``Pipeline.resume``.
    """
    _single(await seen(desk, approval_id, by))
    approval, step = await desk.pipeline.resume(approval_id, by)
    if approval.waits and step.status is Status.OK:
        return await _of_its_run(desk, approval)
    await tell_outcome(desk.history, approval, step)
    return _outcome(step, approval.id)


async def edit(desk: Desk, approval_id: str, arguments: Mapping[str, object], by: Principal) -> Outcome:
    """Change a call first, have policy rule on it, and run it if ``by`` may approve it; raises like ``amend``."""
    _single(await seen(desk, approval_id, by))
    approval, step = await desk.pipeline.amend(approval_id, dict(arguments), by)
    await tell_outcome(desk.history, approval, step)
    return _outcome(step, step.approval_id or approval.id)


async def apply(desk: Desk, plan_id: str, by: Principal, only: tuple[int, ...]) -> list[tuple[Approval, StepResult]]:
    """Say yes to a plan, or some of its steps, and run them; raises like ``Pipeline.apply_plan``."""
    await seen_plan(desk, plan_id, by)
    done = await desk.pipeline.apply_plan(plan_id, by, only)
    for approval, step in done:
        if approval.consumed_at is not None:
            await tell_outcome(desk.history, approval, step)
    return done


def _single(approval: Approval) -> None:
    if approval.plan_id is not None:
        raise ConflictError(
            f"{approval.id[:8]} is step {approval.plan_index} of {approval.plan_id}; nothing was done",
            hint=f"POST /v1/plans/{approval.plan_id}/apply or /deny",
        )


def _outcome(step: StepResult, approval_id: str) -> Outcome:
    return Outcome(step.status, step.text, {**step.metadata, **_facts(step_dict(step))}, approval_id)


def _facts(step: Mapping[str, object]) -> dict[str, object]:
    return {name: step[name] for name in _FACTS if step.get(name) not in (None, "", [])}


async def _of_its_run(desk: Desk, approval: Approval) -> Outcome:
    """Wait for what a waiting run makes of its call: told here with its text, or by another node with its end."""
    until, stored = desk.clock.monotonic() + WAIT_S, False
    while desk.clock.monotonic() < until and not desk.live.closed:
        for event in reversed(desk.live.events(approval.run_id)):
            if event.name == "tool.result" and event.data["call_id"] == approval.call_id:
                data = event.data
                return Outcome(Status(str(data["status"])), str(data["text"]), _facts(data), approval.id)
        now = await desk.pipeline.approvals.get(approval.id)
        if now.outcome is not None and (stored or not desk.live.knows(approval.run_id)):
            return Outcome(Status(now.outcome), "", {}, approval.id)
        stored = now.outcome is not None
        await desk.clock.sleep(LOOK_S)
    return Outcome(approval_id=approval.id)
