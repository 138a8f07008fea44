"""``create_cronjob``: a recurring goal, asked for in a conversation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Protocol

from pydantic import Field, StringConstraints

from akili_cli.core.schedule.cron_expr import parse_cron
from akili_cli.core.tools.base import ToolArgs
from akili_cli.domain.calls import Principal, Source, ToolOutput
from akili_cli.domain.clock import iso
from akili_cli.domain.decisions import Permit
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError, PolicyDeniedError
from akili_cli.domain.risk import Risk
from akili_cli.features.cron.model import CronJob, GoalText, JobDraft, Name, NoWorkflow, Text


class Jobs(Protocol):
    """Makes jobs."""

    async def add(self, draft: JobDraft, by: Principal) -> CronJob:
        """Make a job that runs as ``by``."""


class CreateCronjobArgs(ToolArgs):
    """A new job."""

    name: Name
    cron_expression: str = Field(
        min_length=1, max_length=200, description="minute hour day-of-month month day-of-week; `CRON_TZ=Zone` in front"
    )
    goal: GoalText = Field(description="what the agent is to do each time, as a person would ask for it")
    description: Text = ""
    budget_limit_usd: float | None = Field(None, gt=0, le=10_000, strict=False, description="for one run")
    enabled: bool = True
    notify: tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...] = Field(
        (), max_length=20, strict=False, description="channels to tell of failures"
    )
    max_depth: NoWorkflow = Field(0, description="0: there are no workflows to limit")
    max_tasks: NoWorkflow = Field(0, description="0: there are no workflows to limit")


class CreateCronjob:
    """Make a cron job; it runs as whoever this call is made for, through the same policy."""

    name: ClassVar[str] = "create_cronjob"
    permission: ClassVar[str] = "create_cronjob"
    summary: ClassVar[str] = "Create a recurring job that works on a goal at the times of a cron expression."
    risk: ClassVar[Risk] = Risk.HIGH
    read_only: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    Args: ClassVar[type[ToolArgs]] = CreateCronjobArgs

    def __init__(self, jobs: Jobs) -> None:
        """Keep who makes jobs."""
        self._jobs = jobs

    def effects(self, args: CreateCronjobArgs) -> Effects:
        """Declare the channels it would write to; raises for an expression that is none or never fires."""
        parse_cron(args.cron_expression)
        return Effects(channels=args.notify)

    async def run(self, args: CreateCronjobArgs, permit: Permit) -> ToolOutput:
        """Make it."""
        if not permit.user:
            return ToolOutput("nobody is known to make this job for", ok=False)
        by = Principal(permit.user, Source(permit.source))
        try:
            job = await self._jobs.add(JobDraft.model_validate(args.model_dump(exclude={"max_depth", "max_tasks"})), by)
        except (ConflictError, InvalidArgumentsError, PolicyDeniedError) as error:
            return ToolOutput(f"Error: {error}", ok=False)
        metadata = {
            "cronjob_id": job.id,
            "cron_expression": job.cron_expression,
            "next_run_at": iso(job.next_run_at),
            "enabled": job.enabled,
        }
        return ToolOutput(f"job {job.name} ({job.id}) runs next at {iso(job.next_run_at)}", metadata=metadata)
