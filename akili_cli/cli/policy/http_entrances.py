"""The entry points of the gateway, each with how a call comes in through its own code."""

from __future__ import annotations

from dataclasses import replace

from akili_cli.bootstrap.answers import AgentAnswers
from akili_cli.bootstrap.ground import Ground
from akili_cli.bootstrap.prove import Entrance
from akili_cli.bootstrap.rulings import Asked
from akili_cli.cli.policy.probing import (
    APPROVER,
    HOLD_ALL,
    ProbeSteps,
    SeenError,
    fresh,
    put_runbook,
    scripted,
)
from akili_cli.core.approvals.model import ApprovalStatus
from akili_cli.core.execution.undoing import restore
from akili_cli.domain.calls import Principal, Source, StepResult
from akili_cli.domain.errors import PolicyDeniedError
from akili_cli.domain.ids import new_uuid
from akili_cli.domain.risk import Risk
from akili_cli.features.queries.model import Attachment, Query, QueryDraft

_KEPT = frozenset({"untrusted", "skill"})
_MANY = 1_000_000


async def _http_approve(ground: Ground, asked: Asked) -> StepResult | None:
    held = await replace(ground.app.pipeline, rules=HOLD_ALL).run(asked.call(), fresh(asked))
    if held.approval_id is None:
        return None
    return (await ground.app.pipeline.resume(held.approval_id, _approver_over_http(ground, asked)))[1]


async def _http_amend(ground: Ground, asked: Asked) -> StepResult | None:
    """Over HTTP whoever changed a grave call may not approve it: then somebody else does."""
    run, pipeline = fresh(asked), ground.app.pipeline
    held = await replace(pipeline, rules=HOLD_ALL).run(asked.call(), run)
    if held.approval_id is None:
        return None
    try:
        return (await pipeline.amend(held.approval_id, dict(asked.arguments), run.principal))[1]
    except PolicyDeniedError:
        waiting = await ground.app.approvals.list(ApprovalStatus.PENDING, _MANY)
        (changed,) = [one for one in waiting if one.run_id == run.id]
        return (await pipeline.resume(changed.id, _approver_over_http(ground, asked)))[1]


async def _http_apply(ground: Ground, asked: Asked) -> StepResult | None:
    run = replace(fresh(asked), plan=True)
    await replace(ground.app.pipeline, rules=HOLD_ALL).run(asked.call(), run)
    plan = await ground.app.approvals.plans.seal(run, "probe")
    by = _approver_over_http(ground, asked)
    return None if plan is None else (await ground.app.pipeline.apply_plan(plan.id, by))[0][1]


def _approver_over_http(ground: Ground, asked: Asked) -> Principal:
    """Give somebody else who may rule on everything over HTTP; where nobody may, the ruling comes from the terminal."""
    for user in (APPROVER.user, *ground.judge.world.user_roles):
        by = Principal(user, Source.HTTP)
        if user != asked.user and ground.app.approvals.approvers.power_of(by).highest is Risk.CRITICAL:
            return by
    return APPROVER


async def _http_undo(ground: Ground, asked: Asked) -> StepResult | None:
    me = Principal(asked.user, Source.HTTP, asked.agent)
    return await restore(ground.app.pipeline, asked.tool, asked.arguments, me, "probe")


async def _http_runbook(ground: Ground, asked: Asked) -> StepResult | None:
    name = put_runbook(ground, asked)
    return await _answered(ground, asked, QueryDraft(message=name, runbook=name, read_only=asked.read_only))


async def _http_query(ground: Ground, asked: Asked) -> StepResult | None:
    attached = tuple(Attachment(label=label, text="text from outside") for label in asked.untrusted)
    draft = QueryDraft(message="probe", attachments=attached, read_only=asked.read_only, autonomous=asked.autonomous)
    return await _answered(ground, asked, draft)


async def _webhook(ground: Ground, asked: Asked) -> StepResult | None:
    delivered = tuple(Attachment(label=label, text="text from outside") for label in asked.untrusted)
    return await _answered(ground, asked, QueryDraft(message="probe", attachments=delivered, read_only=asked.read_only))


async def _answered(ground: Ground, asked: Asked, draft: QueryDraft) -> StepResult | None:
    """Through what answers every question that came in over the network."""
    query = Query(
        id=new_uuid(),
        org="default",
        user=asked.user,
        source=str(Source.HTTP),
        correlation_id="probe",
        conversation_id=None,
        draft=draft,
        created_at=0.0,
    )
    answers = AgentAnswers(await scripted(ground, asked, primes=False), ground.app.runbooks)
    try:
        await answers.answer(query, ProbeSteps(query.id), lambda _event: None, lambda: False)
    except SeenError as seen:
        return seen.step
    return None


HTTP_ENTRANCES = (
    Entrance(
        name="http query",
        source=Source.HTTP,
        carries=frozenset({"read_only", "autonomous", "untrusted", "skill"}),
        agents=False,
        send=_http_query,
    ),
    Entrance(name="http approve", source=Source.HTTP, carries=_KEPT, resumes=True, agents=False, send=_http_approve),
    Entrance(name="http edit", source=Source.HTTP, carries=_KEPT, resumes=True, agents=False, send=_http_amend),
    Entrance(name="http plan apply", source=Source.HTTP, carries=_KEPT, resumes=True, agents=False, send=_http_apply),
    Entrance(
        name="http undo", source=Source.HTTP, carries=frozenset(), agents=False, only="file_restore", send=_http_undo
    ),
    Entrance(
        name="http undo of git",
        source=Source.HTTP,
        carries=frozenset(),
        agents=False,
        only="git_restore",
        send=_http_undo,
    ),
    Entrance(
        name="http runbooks run",
        source=Source.HTTP,
        carries=frozenset({"read_only", "untrusted", "skill"}),
        always=frozenset({"skill"}),
        primes=True,
        agents=False,
        send=_http_runbook,
    ),
    Entrance(
        name="webhook",
        source=Source.HTTP,
        carries=frozenset({"read_only", "untrusted"}),
        always=frozenset({"untrusted"}),
        agents=False,
        send=_webhook,
    ),
)
"""Questions, rulings, plans, undoing, runbooks and webhooks over HTTP."""
