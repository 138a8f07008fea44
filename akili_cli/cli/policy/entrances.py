"""Every entry point of this version, each with how a call comes in through its own code: a new one adds a line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from akili_cli.bootstrap.answers import AgentAnswers
from akili_cli.bootstrap.goals import AgentGoals
from akili_cli.bootstrap.ground import Ground
from akili_cli.bootstrap.heartbeats import heartbeat_schedule, open_heartbeats
from akili_cli.bootstrap.prove import Entrance
from akili_cli.bootstrap.rulings import Asked
from akili_cli.cli.asking import run_of
from akili_cli.cli.prompt import TerminalAsker
from akili_cli.cli.question import Question
from akili_cli.cli.repl_session import Session
from akili_cli.cli.sandbox import attempt
from akili_cli.core.agent.journal import parse_step
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.approvals.model import ApprovalStatus
from akili_cli.core.execution.undoing import restore
from akili_cli.core.policy.engine import RuleSet
from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.schedule.base import Fire, Job, Schedule
from akili_cli.domain.calls import Principal, Run, Source, StepResult
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.errors import PolicyDeniedError
from akili_cli.domain.ids import new_uuid
from akili_cli.domain.messages import (
    Completion,
    Message,
    ModelEvent,
    ModelRequest,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    Usage,
)
from akili_cli.domain.risk import Risk
from akili_cli.features.alerts.checking import put_check
from akili_cli.features.cron.worker import CronSchedule
from akili_cli.features.heartbeats.model import KIND as HEARTBEAT
from akili_cli.features.notifications.worker import put
from akili_cli.features.queries.model import Attachment, Query, QueryDraft

_PROBE, _PRIMER = "probe", "primer"
_MANY = 1_000_000
_TASK_FILE = """\
---
name: probe
default_cron: "0 0 1 1 *"
---
### probe
probe
"""
_APPROVER = Principal("akili-probe-approver", Source.CLI)
_HOLD_ALL = RuleSet([Rule("hold", BUILT_IN, Verdict.ASK, Match(), "held, to be approved under the real rules")])


class ScriptedModel:
    """Asks for its calls one after the other, then says that it is done."""

    provider, model = "scripted", "probe"

    def __init__(self, calls: list[ToolUseBlock], skill: str | None) -> None:
        """Keep the calls, and the runbook they claim to come from."""
        self._calls = calls
        self._skill = skill

    def price(self, _usage: Usage) -> float | None:
        """Cost nothing."""
        return 0.0

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield the next turn."""
        answered = sum(isinstance(block, ToolResultBlock) for m in request.messages for block in m.blocks)
        left = self._calls[answered:]
        block = left[0] if left else TextBlock("done")
        yield Completion(
            message=Message("assistant", (block,)),
            usage=Usage(),
            stop_reason="tool_use" if left else "end_turn",
            provider=self.provider,
            model=self.model,
            cost_usd=0.0,
            skill=self._skill,
        )

    async def close(self) -> None:
        """Release nothing."""


def _calls(ground: Ground, asked: Asked, *, primes: bool) -> list[ToolUseBlock]:
    primer = ground.primer(asked) if primes and asked.untrusted else None
    before = [] if primer is None else [ToolUseBlock(_PRIMER, primer.tool, primer.arguments)]
    return [*before, ToolUseBlock(_PROBE, asked.tool, asked.arguments)]


async def _scripted(ground: Ground, asked: Asked, *, primes: bool) -> AgentLoop:
    loop = await ground.app.loop()
    return replace(loop, model=ScriptedModel(_calls(ground, asked, primes=primes), asked.skill))


def _probed(steps: tuple[StepResult, ...]) -> StepResult | None:
    return next((step for step in steps if step.call.id.endswith(_PROBE)), None)


async def _query(ground: Ground, asked: Asked) -> StepResult | None:
    question = Question(message="probe", autonomous=asked.autonomous, read_only=asked.read_only)
    run = run_of(question, Principal(asked.user, Source.CLI, asked.agent), None)
    attached = tuple(TextBlock("text from outside", untrusted=label) for label in asked.untrusted)
    loop = await _scripted(ground, asked, primes=False)
    return _probed((await loop.run("probe", run, attachments=attached)).steps)


async def _prompt(ground: Ground, asked: Asked) -> StepResult | None:
    loop = await _scripted(ground, asked, primes=True)
    me = Principal(asked.user, Source.REPL, asked.agent)
    session = Session(app=ground.app, asker=TerminalAsker(), loop=loop, me=me)
    session.mode = "autonomous" if asked.autonomous else "read-only" if asked.read_only else "ask"
    return _probed((await loop.run("probe", session.run())).steps)


async def _runbook(ground: Ground, asked: Asked) -> StepResult | None:
    name = _put_runbook(ground, asked)
    loop = await ground.app.loop(runbook=name)
    question = Question(message=f"play the runbook {name}", runbook=name)
    run = run_of(question, Principal(asked.user, Source.CLI, asked.agent), None)
    return _probed((await loop.run(question.message, run)).steps)


def _put_runbook(ground: Ground, asked: Asked) -> str:
    name = asked.skill or "akili-probe"
    path = ground.app.state.workspace.runbooks_dir / f"{name}.md"
    path.write_text(_runbook_text(_calls(ground, asked, primes=True)), encoding="utf-8")
    return name


def _runbook_text(calls: list[ToolUseBlock]) -> str:
    tools = json.dumps(sorted({call.name for call in calls}))
    head = f"---\nname: probe\nagent_role: executor\ncategory: probe\ntools_required: {tools}\n"
    head += "risk_level: low\ndefault_budget: 1\n---\n\n# Probe\n\n## Procedure\n"
    steps = (
        {"id": call.id, "title": call.id, "tool": call.name, "with": call.arguments, "on_fail": "stop"}
        for call in calls
    )
    return head + "".join(f"\n```yaml akili\n{json.dumps(step)}\n```\n" for step in steps)


async def _approve(ground: Ground, asked: Asked) -> StepResult | None:
    held = await replace(ground.app.pipeline, rules=_HOLD_ALL).run(asked.call(), _fresh(asked))
    if held.approval_id is None:
        return None
    return (await ground.app.pipeline.resume(held.approval_id, _APPROVER))[1]


def _fresh(asked: Asked) -> Run:
    return replace(asked.run(), id=new_uuid())


async def _undo(ground: Ground, asked: Asked) -> StepResult | None:
    me = Principal(asked.user, Source.CLI, asked.agent)
    return await restore(ground.app.pipeline, asked.tool, asked.arguments, me, "probe")


async def _amend(ground: Ground, asked: Asked) -> StepResult | None:
    held = await replace(ground.app.pipeline, rules=_HOLD_ALL).run(asked.call(), _fresh(asked))
    if held.approval_id is None:
        return None
    me = Principal(asked.user, Source.CLI, asked.agent)
    return (await ground.app.pipeline.amend(held.approval_id, dict(asked.arguments), me))[1]


async def _apply(ground: Ground, asked: Asked) -> StepResult | None:
    run = replace(_fresh(asked), plan=True)
    await replace(ground.app.pipeline, rules=_HOLD_ALL).run(asked.call(), run)
    plan = await ground.app.approvals.plans.seal(run, "probe")
    return None if plan is None else (await ground.app.pipeline.apply_plan(plan.id, _APPROVER))[0][1]


async def _channel_test(ground: Ground, asked: Asked) -> StepResult | None:
    me = Principal(asked.user, Source.CLI, asked.agent)
    return await put(ground.app.pipeline, dict(asked.arguments), me, run_id=new_uuid())


async def _http_channel_test(ground: Ground, asked: Asked) -> StepResult | None:
    """As ``POST /v1/notification-channels/{id}/test`` does."""
    return await put(ground.app.pipeline, dict(asked.arguments), Principal(asked.user, Source.HTTP), run_id=new_uuid())


async def _http_alert_test(ground: Ground, asked: Asked) -> StepResult | None:
    """As ``POST /v1/alerts/{id}/test`` does."""
    return await put_check(ground.app.pipeline, asked.tool, asked.arguments, Principal(asked.user, Source.HTTP))


async def _sandbox(ground: Ground, asked: Asked) -> StepResult | None:
    me = Principal(asked.user, Source.CLI, asked.agent)
    return await attempt(ground.app.pipeline, asked.arguments, me)


class _SeenError(Exception):
    """Ends a run at the answer to its probe: nobody is there to rule on one that is held."""

    def __init__(self, step: StepResult) -> None:
        super().__init__(step.text)
        self.step = step


class _ProbeSteps:
    """Steps of a run that go on until the probe is answered."""

    def __init__(self, run_id: str) -> None:
        """Begin a run of its own."""
        self.run_id = run_id

    async def step(self, _name: str, act: Callable[[], Awaitable[object]]) -> object:
        """Do it, and stop there if it was the probe."""
        kept = await act()
        call = kept.get("call") if isinstance(kept, dict) else None
        if isinstance(call, dict) and str(call["id"]).endswith(_PROBE):
            raise _SeenError(parse_step(kept))  # type: ignore[arg-type]  # a dict of text keys
        return kept

    async def sleep(self, _seconds: float) -> None:
        """Do not wait."""


async def _ticked(schedule: Schedule, fire: Fire) -> StepResult | None:
    try:
        await schedule.run(fire, _ProbeSteps(fire.id))
    except _SeenError as seen:
        return seen.step
    return None


def _goals(ground: Ground, asked: Asked) -> AgentGoals:
    return AgentGoals(lambda: _scripted(ground, asked, primes=True), ground.app.state.redactor)


def _fire(job: Job, kind: str, user: str) -> Fire:
    """Give a fire of its own; its run is one of its own by the name of its steps."""
    return Fire(
        id=f"{kind}:{job.id}:{new_uuid()}",
        org="default",
        kind=kind,
        job_id=job.id,
        fire_at=0.0,
        user=user,
        payload=job.payload,
        node="probe",
    )


async def _cron(ground: Ground, asked: Asked) -> StepResult | None:
    app = ground.app
    schedule = CronSchedule(
        settings=app.state.loaded.settings.scheduler,
        agent=_goals(ground, asked),
        notifier=app.notifications.service,
    )
    job = Job(
        id="probe",
        user=asked.user,
        cron="* * * * *",
        next_run_at=0.0,
        payload={"name": "probe", "goal": "probe", "budget_limit_usd": None, "notify": []},
    )
    return await _ticked(schedule, _fire(job, "cron", asked.user))


async def _heartbeat(ground: Ground, asked: Asked) -> StepResult | None:
    """Through a task of a file that is read as any other."""
    folder = ground.app.state.workspace.root / "heartbeat-tasks"
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        (folder / "probe.md").write_text(_TASK_FILE, encoding="utf-8")
    service = replace(open_heartbeats(ground.app), directories=(folder,))
    await service.sync(Principal(asked.user, Source.HEARTBEAT))
    job = await service.to_trigger("probe/probe")
    schedule = heartbeat_schedule(ground.app, _goals(ground, asked))
    return await _ticked(schedule, _fire(job, HEARTBEAT, asked.user))


async def _alert(ground: Ground, asked: Asked) -> StepResult | None:
    return await put_check(ground.app.pipeline, asked.tool, asked.arguments, Principal(asked.user, Source.ALERT))


async def _http_approve(ground: Ground, asked: Asked) -> StepResult | None:
    held = await replace(ground.app.pipeline, rules=_HOLD_ALL).run(asked.call(), _fresh(asked))
    if held.approval_id is None:
        return None
    return (await ground.app.pipeline.resume(held.approval_id, _approver_over_http(ground, asked)))[1]


async def _http_amend(ground: Ground, asked: Asked) -> StepResult | None:
    """Over HTTP whoever changed a grave call may not approve it: then somebody else does."""
    run, pipeline = _fresh(asked), ground.app.pipeline
    held = await replace(pipeline, rules=_HOLD_ALL).run(asked.call(), run)
    if held.approval_id is None:
        return None
    try:
        return (await pipeline.amend(held.approval_id, dict(asked.arguments), run.principal))[1]
    except PolicyDeniedError:
        waiting = await ground.app.approvals.list(ApprovalStatus.PENDING, _MANY)
        (changed,) = [one for one in waiting if one.run_id == run.id]
        return (await pipeline.resume(changed.id, _approver_over_http(ground, asked)))[1]


async def _http_apply(ground: Ground, asked: Asked) -> StepResult | None:
    run = replace(_fresh(asked), plan=True)
    await replace(ground.app.pipeline, rules=_HOLD_ALL).run(asked.call(), run)
    plan = await ground.app.approvals.plans.seal(run, "probe")
    by = _approver_over_http(ground, asked)
    return None if plan is None else (await ground.app.pipeline.apply_plan(plan.id, by))[0][1]


def _approver_over_http(ground: Ground, asked: Asked) -> Principal:
    """Give somebody else who may rule on everything over HTTP; where nobody may, the ruling comes from the terminal."""
    for user in (_APPROVER.user, *ground.judge.world.user_roles):
        by = Principal(user, Source.HTTP)
        if user != asked.user and ground.app.approvals.approvers.power_of(by).highest is Risk.CRITICAL:
            return by
    return _APPROVER


async def _http_undo(ground: Ground, asked: Asked) -> StepResult | None:
    me = Principal(asked.user, Source.HTTP, asked.agent)
    return await restore(ground.app.pipeline, asked.tool, asked.arguments, me, "probe")


async def _http_runbook(ground: Ground, asked: Asked) -> StepResult | None:
    name = _put_runbook(ground, asked)
    return await _answered(ground, asked, QueryDraft(message=name, runbook=name, read_only=asked.read_only))


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
    answers = AgentAnswers(await _scripted(ground, asked, primes=False), ground.app.runbooks)
    try:
        await answers.answer(query, _ProbeSteps(query.id), lambda _event: None, lambda: False)
    except _SeenError as seen:
        return seen.step
    return None


_KEPT = frozenset({"untrusted", "skill"})
ENTRANCES = (
    Entrance(
        name="query",
        source=Source.CLI,
        carries=frozenset({"read_only", "autonomous", "untrusted", "skill"}),
        send=_query,
    ),
    Entrance(
        name="prompt",
        source=Source.REPL,
        carries=frozenset({"read_only", "autonomous", "untrusted", "skill"}),
        primes=True,
        send=_prompt,
    ),
    Entrance(
        name="runbooks run",
        source=Source.CLI,
        carries=frozenset({"untrusted", "skill"}),
        always=frozenset({"skill"}),
        primes=True,
        send=_runbook,
    ),
    Entrance(name="approvals approve", source=Source.CLI, carries=_KEPT, resumes=True, send=_approve),
    Entrance(name="approvals edit", source=Source.CLI, carries=_KEPT, resumes=True, send=_amend),
    Entrance(name="plan apply", source=Source.CLI, carries=_KEPT, resumes=True, send=_apply),
    Entrance(name="undo", source=Source.CLI, carries=frozenset(), only="file_restore", send=_undo),
    Entrance(name="undo of git", source=Source.CLI, carries=frozenset(), only="git_restore", send=_undo),
    Entrance(
        name="channels test",
        source=Source.CLI,
        carries=frozenset(),
        only="notification_deliver",
        send=_channel_test,
    ),
    Entrance(name="cron", source=Source.CRON, carries=_KEPT, primes=True, agents=False, send=_cron),
    Entrance(name="heartbeats", source=Source.HEARTBEAT, carries=_KEPT, primes=True, agents=False, send=_heartbeat),
    Entrance(name="alerts", source=Source.ALERT, carries=frozenset(), agents=False, only="endpoint_check", send=_alert),
    Entrance(
        name="alerts of commands",
        source=Source.ALERT,
        carries=frozenset(),
        agents=False,
        only="shell_exec",
        send=_alert,
    ),
    Entrance(
        name="http channels test",
        source=Source.HTTP,
        carries=frozenset(),
        agents=False,
        only="notification_deliver",
        send=_http_channel_test,
    ),
    Entrance(
        name="http alerts test",
        source=Source.HTTP,
        carries=frozenset(),
        agents=False,
        only="endpoint_check",
        send=_http_alert_test,
    ),
    Entrance(
        name="http alerts test of commands",
        source=Source.HTTP,
        carries=frozenset(),
        agents=False,
        only="shell_exec",
        send=_http_alert_test,
    ),
    Entrance(name="http cron trigger", source=Source.CRON, carries=_KEPT, primes=True, agents=False, send=_cron),
    Entrance(name="sandbox run", source=Source.CLI, carries=frozenset(), only="sandbox_probe", send=_sandbox),
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
