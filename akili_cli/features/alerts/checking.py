"""Makes one check: a tool call through the pipeline, and what its answer means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from akili_cli.adapters.storage.base import Database
from akili_cli.core.approvals.model import ApprovalStatus
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.core.schedule.store import last_ok
from akili_cli.domain.calls import Principal, Run, Status, StepResult, ToolCall, call_digest
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.ids import new_uuid
from akili_cli.features.alerts.checks import check_type
from akili_cli.features.alerts.checks.base import Call, Freshness
from akili_cli.features.alerts.checks.heartbeat_missing import judge_age
from akili_cli.features.alerts.model import Check, Result, Standing
from akili_cli.features.alerts.tools import CHECK_TOOL

FindJob = Callable[[str, str], Awaitable[str | None]]
"""Gives the id of a job from its kind (``cron``, ``heartbeat``) and name; None when there is none."""

MAX_MESSAGE_CHARS = 2000
MAX_PENDING = 1000
_CORRELATION_CHARS = 16


@dataclass(frozen=True, slots=True)
class Looked:
    """What a check found, and how the pipeline answered (None when no call was made)."""

    result: Result
    status: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """Makes checks for one organisation. ``find_job`` knows the jobs of the other rooms."""

    pipeline: Pipeline
    db: Database
    org: str
    clock: Clock
    find_job: FindJob

    async def check(self, check: Check, who: Principal, *, since: float) -> Looked:
        """Look at a target as ``who``, once. ``since`` is when its rule was made.

        A call that is refused, waits for an approval or cannot be made is ``error`` with the reason, never ``ok``.
        """
        kind = check_type(check.type)
        problem = kind.problem(check.target, check.config)
        if problem is not None:
            return Looked(Result(Standing.ERROR, problem))
        look = kind.look(check.target, check.config)
        if isinstance(look, Freshness):
            return Looked(await self._age(look, since))
        waiting = await self._waiting(look, who)
        if waiting is not None:
            text = f"waits for approval {waiting}; nothing was checked"
            return Looked(Result(Standing.ERROR, text), Status.APPROVAL_REQUIRED)
        step = await put_check(self.pipeline, look.tool, look.arguments, who)
        ran = step.status in (Status.OK, Status.FAILED, Status.TIMEOUT)
        looked = step.metadata.keys() & {"checked", "exit_code"}
        if not (ran and looked):
            return Looked(Result(Standing.ERROR, step.text[:MAX_MESSAGE_CHARS]), step.status)
        result = kind.judge(step, check.config)
        return Looked(Result(result.status, result.message[:MAX_MESSAGE_CHARS]), step.status)

    async def _age(self, look: Freshness, since: float) -> Result:
        job = await self.find_job(look.kind, look.name)
        if job is None:
            return Result(Standing.ERROR, f"there is no {look.kind} job {look.name!r}")
        last = await self.db.read(lambda connection: last_ok(connection, self.org, look.kind, job))
        return judge_age(look, last, since, self.clock.now())

    async def _waiting(self, look: Call, who: Principal) -> str | None:
        """Give the approval this very call waits for already, so that each check does not ask for one more."""
        digest = call_digest(who, look.tool, look.arguments)
        pending = await self.pipeline.approvals.list(ApprovalStatus.PENDING, MAX_PENDING)
        return next((one.id for one in pending if one.digest == digest and one.source == who.source), None)


async def put_check(pipeline: Pipeline, tool: str, arguments: Mapping[str, object], who: Principal) -> StepResult:
    """Make the call of one check; raises ``InvalidArgumentsError`` for a tool that checks do not use."""
    if tool not in (CHECK_TOOL, "shell_exec"):
        raise InvalidArgumentsError(f"no check uses {tool[:60]}")
    run_id = new_uuid()
    run = Run(id=run_id, principal=who, correlation_id=run_id.replace("-", "")[:_CORRELATION_CHARS])
    return await pipeline.run(ToolCall(new_uuid(), tool, arguments), run, reason="an alert rule looks at its target")
