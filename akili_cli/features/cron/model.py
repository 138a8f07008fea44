"""What a cron job is, and what strangers may write into one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from akili_cli.core.schedule.base import OnMissed, Overlap
from akili_cli.domain.clock import iso

KIND = "cron"
MAX_FAILURES = 10
"""A job that failed so often in a row is switched off."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/]+$")]
Text = Annotated[str, StringConstraints(max_length=2000)]
GoalText = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


def _no_workflow(limit: int) -> int:
    if limit != 0:
        raise ValueError("must be 0 or left out: a job runs as one agent, and there are no workflows to limit")
    return limit


NoWorkflow = Annotated[int, AfterValidator(_no_workflow)]
"""A limit of workflows, of which there are none."""

ChannelNames = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...], Field(max_length=20)
]


class JobDraft(BaseModel):
    """A new job as it is asked for."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name
    cron_expression: str = Field(
        min_length=1, max_length=200, description="five fields, `CRON_TZ=Zone` in front for a zone"
    )
    goal: GoalText
    description: Text = ""
    budget_limit_usd: float | None = Field(None, gt=0, le=10_000, strict=False, description="for one run")
    enabled: bool = True
    on_missed: OnMissed = Field(
        OnMissed.RUN_ONCE, strict=False, description="what becomes of runs nobody was there for"
    )
    overlap: Overlap = Field(Overlap.SKIP, strict=False, description="what happens while the run before still goes on")
    notify: ChannelNames = Field((), strict=False, description="channels that are told of failures")


class JobChanges(BaseModel):
    """What is to be different; a field left out stays. ``clear`` names optional fields to empty."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name | None = None
    cron_expression: str | None = Field(None, min_length=1, max_length=200)
    goal: GoalText | None = None
    description: Text | None = None
    budget_limit_usd: float | None = Field(None, gt=0, le=10_000, strict=False)
    enabled: bool | None = None
    on_missed: OnMissed | None = Field(None, strict=False)
    overlap: Overlap | None = Field(None, strict=False)
    notify: ChannelNames | None = Field(None, strict=False)
    clear: tuple[str, ...] = Field((), strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CronJob:
    """One job. It runs as ``user``, who made it. Times are epoch seconds; ``budget_limit_usd`` is for one run."""

    id: str
    org: str
    name: str
    description: str
    cron_expression: str
    goal: str
    user: str
    budget_limit_usd: float | None
    enabled: bool
    on_missed: OnMissed
    overlap: Overlap
    notify: tuple[str, ...]
    next_run_at: float
    created_at: float
    updated_at: float
    last_run_at: float | None = None
    last_run_id: str = ""
    last_error: str = ""
    failures: int = 0

    def as_dict(self) -> dict[str, object]:
        """Give the JSON-ready form: times in ISO 8601, what is not set left out."""
        out: dict[str, object] = {}
        for key, value in asdict(self).items():
            shown = iso(value) if key.endswith("_at") and value is not None else value
            if shown not in (None, ""):
                out[{"user": "user_id"}.get(key, key)] = list(shown) if isinstance(shown, tuple) else shown
        out.pop("org")
        return out
