"""Cron jobs as requests write them and answers show them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from akili_cli.core.schedule.base import Fire, FireStatus, OnMissed, Overlap
from akili_cli.core.schedule.store import Record
from akili_cli.domain.clock import iso
from akili_cli.features.cron.model import ChannelNames, CronJob, JobChanges, JobDraft, Text
from akili_cli.gateways.http.shapes.fields import STRICT, Budget, NoWorkflow, filled_in

_LIMITS = frozenset({"max_depth", "max_tasks"})
_NEW: JsonDict = {
    "name": "nightly backups",
    "cron_expression": "0 3 * * *",
    "goal": "Check that last night's backups ran, and say what is missing",
    "budget_limit_usd": 0.5,
    "notify": [],
}
_CHANGE: JsonDict = {"cron_expression": "CRON_TZ=Europe/Berlin 30 4 * * 1-5", "enabled": True}


class NewCronJob(JobDraft):
    """A job to be made; it runs as the caller, and never with more than the caller may."""

    model_config = ConfigDict(**STRICT, json_schema_extra={"examples": [_NEW]})

    budget_limit_usd: Budget = 0.0
    max_depth: NoWorkflow = 0
    max_tasks: NoWorkflow = 0

    def draft(self) -> JobDraft:
        """Give it as the room takes it."""
        given = self.model_dump(exclude=set(_LIMITS))
        return JobDraft.model_validate({**given, "budget_limit_usd": self.budget_limit_usd or None})


class CronJobChange(BaseModel):
    """What is to be different: texts that are not empty and numbers above 0 replace, all else stays.

    ``clear`` empties what may be empty.
    """

    model_config = ConfigDict(**STRICT, json_schema_extra={"examples": [_CHANGE]})

    name: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f/]*$")] | None = None
    cron_expression: Annotated[str, StringConstraints(max_length=200)] | None = None
    goal: Annotated[str, StringConstraints(max_length=20_000)] | None = None
    description: Text | None = None
    budget_limit_usd: Budget | None = None
    max_depth: NoWorkflow | None = None
    max_tasks: NoWorkflow | None = None
    enabled: bool | None = None
    on_missed: OnMissed | None = Field(None, strict=False)
    overlap: Overlap | None = Field(None, strict=False)
    notify: ChannelNames | None = Field(None, strict=False)
    clear: tuple[Literal["description", "budget_limit_usd", "notify"], ...] = Field((), strict=False, max_length=3)

    def changes(self) -> JobChanges:
        """Give it as the room takes it."""
        return JobChanges.model_validate(filled_in(self, without=_LIMITS))


class CronJobItem(BaseModel):
    """A job. Times that are not set are left out."""

    id: str
    name: str
    description: str
    cron_expression: str
    goal: str
    user_id: str = Field(description="whose it is, and whose authority it runs with")
    budget_limit_usd: float
    max_depth: int
    max_tasks: int
    enabled: bool
    on_missed: OnMissed
    overlap: Overlap
    notify: list[str]
    next_run_at: str
    last_run_at: str | None = None
    last_run_id: str | None = None
    last_error: str
    failures: int = Field(description="in a row")
    created_at: str
    updated_at: str


class CronRun(BaseModel):
    """One time a job ran, or should have. Of a run as somebody else only how it ended is told."""

    id: str
    cronjob_id: str
    due_at: str
    status: FireStatus
    user_id: str
    manual: bool
    attempt: int
    run_id: str
    error: str
    summary: str
    cost_usd: float | None
    started_at: str | None = None
    finished_at: str | None = None


class Triggered(BaseModel):
    """A run that began now, as the caller and within the job's limits."""

    id: str = Field(description="the run's id in the job's history")
    cronjob_id: str
    status: Literal["running"]
    goal: str
    user_id: str
    correlation_id: str = Field(description="ties the run's audit records together")


class NextRuns(BaseModel):
    """When a job runs next, if it is enabled."""

    cron_expression: str
    timezone: str
    next: list[str]


def job_item(job: CronJob) -> dict[str, object]:
    """Show a job."""
    shown: dict[str, object] = {"description": "", "last_error": "", **job.as_dict()}
    return {**shown, "budget_limit_usd": job.budget_limit_usd or 0.0, "max_depth": 0, "max_tasks": 0}


def run_line(record: Record) -> dict[str, object]:
    """Show a run."""
    fire = record.fire
    shown: dict[str, object] = {
        "id": fire.id,
        "cronjob_id": fire.job_id,
        "due_at": iso(fire.fire_at),
        "status": str(record.status),
        "user_id": fire.user,
        "manual": fire.manual,
        "attempt": fire.attempt,
        "run_id": record.run_id,
        "error": record.error,
        "summary": record.summary,
        "cost_usd": record.cost_usd,
    }
    times = {"started_at": record.started_at, "finished_at": record.finished_at}
    return shown | {name: iso(at) for name, at in times.items() if at is not None}


def triggered(fire: Fire) -> dict[str, object]:
    """Show a run that was begun."""
    return {
        "id": fire.id,
        "cronjob_id": fire.job_id,
        "status": "running",
        "goal": fire.payload["goal"],
        "user_id": fire.user,
        "correlation_id": fire.id,
    }
