"""Every entry point of this version, each with how a call comes in through its own code: a new one adds a line."""

from __future__ import annotations

from dataclasses import replace

from akili_cli.bootstrap.goals import AgentGoals
from akili_cli.bootstrap.ground import Ground
from akili_cli.bootstrap.heartbeats import heartbeat_schedule, open_heartbeats
from akili_cli.bootstrap.prove import Entrance
from akili_cli.bootstrap.rulings import Asked
from akili_cli.cli.asking import run_of
from akili_cli.cli.policy.http_entrances import HTTP_ENTRANCES
from akili_cli.cli.policy.probing import (
    APPROVER,
    HOLD_ALL,
    PROBE,
    ProbeSteps,
    SeenError,
    fresh,
    put_runbook,
    scripted,
)
from akili_cli.cli.prompt import TerminalAsker
from akili_cli.cli.question import Question
from akili_cli.cli.repl_session import Session
from akili_cli.cli.sandbox import attempt
from akili_cli.core.execution.undoing import restore
from akili_cli.core.schedule.base import Fire, Job, Schedule
from akili_cli.domain.calls import Principal, Source, StepResult
from akili_cli.domain.ids import new_uuid
from akili_cli.domain.messages import (
    TextBlock,
)
from akili_cli.features.alerts.checking import put_check
from akili_cli.features.cron.worker import CronSchedule
from akili_cli.features.heartbeats.model import KIND as HEARTBEAT
from akili_cli.features.notifications.worker import put

_TASK_FILE = """\
---
name: probe
default_cron: "0 0 1 1 *"
---
### probe
probe
"""


def _probed(steps: tuple[StepResult, ...]) -> StepResult | None:
    return next((step for step in steps if step.call.id.endswith(PROBE)), None)


async def _query(ground: Ground, asked: Asked) -> StepResult | None:
    question = Question(message="probe", autonomous=asked.autonomous, read_only=asked.read_only)
    run = run_of(question, Principal(asked.user, Source.CLI, asked.agent), None)
    attached = tuple(TextBlock("text from outside", untrusted=label) for label in asked.untrusted)
    loop = await scripted(ground, asked, primes=False)
    return _probed((await loop.run("probe", run, attachments=attached)).steps)


async def _prompt(ground: Ground, asked: Asked) -> StepResult | None:
    loop = await scripted(ground, asked, primes=True)
    me = Principal(asked.user, Source.REPL, asked.agent)
    session = Session(app=ground.app, asker=TerminalAsker(), loop=loop, me=me)
    session.mode = "autonomous" if asked.autonomous else "read-only" if asked.read_only else "ask"
    return _probed((await loop.run("probe", session.run())).steps)


async def _runbook(ground: Ground, asked: Asked) -> StepResult | None:
    name = put_runbook(ground, asked)
    loop = await ground.app.loop(runbook=name)
    question = Question(message=f"play the runbook {name}", runbook=name)
    run = run_of(question, Principal(asked.user, Source.CLI, asked.agent), None)
    return _probed((await loop.run(question.message, run)).steps)


async def _approve(ground: Ground, asked: Asked) -> StepResult | None:
    held = await replace(ground.app.pipeline, rules=HOLD_ALL).run(asked.call(), fresh(asked))
    if held.approval_id is None:
        return None
    return (await ground.app.pipeline.resume(held.approval_id, APPROVER))[1]


async def _undo(ground: Ground, asked: Asked) -> StepResult | None:
    me = Principal(asked.user, Source.CLI, asked.agent)
    return await restore(ground.app.pipeline, asked.tool, asked.arguments, me, "probe")


async def _amend(ground: Ground, asked: Asked) -> StepResult | None:
    held = await replace(ground.app.pipeline, rules=HOLD_ALL).run(asked.call(), fresh(asked))
    if held.approval_id is None:
        return None
    me = Principal(asked.user, Source.CLI, asked.agent)
    return (await ground.app.pipeline.amend(held.approval_id, dict(asked.arguments), me))[1]


async def _apply(ground: Ground, asked: Asked) -> StepResult | None:
    run = replace(fresh(asked), plan=True)
    await replace(ground.app.pipeline, rules=HOLD_ALL).run(asked.call(), run)
    plan = await ground.app.approvals.plans.seal(run, "probe")
    return None if plan is None else (await ground.app.pipeline.apply_plan(plan.id, APPROVER))[0][1]


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


async def _ticked(schedule: Schedule, fire: Fire) -> StepResult | None:
    try:
        await schedule.run(fire, ProbeSteps(fire.id))
    except SeenError as seen:
        return seen.step
    return None


def _goals(ground: Ground, asked: Asked) -> AgentGoals:
    return AgentGoals(lambda: scripted(ground, asked, primes=True), ground.app.state.redactor)


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
    *HTTP_ENTRANCES,
)
