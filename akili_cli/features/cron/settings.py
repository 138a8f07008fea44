"""Settings of the cron room: ``scheduler``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SchedulerSettings(BaseModel):
    """``scheduler``: whether and how this node runs cron jobs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    enabled: bool = Field(False, description="run cron jobs in the gateway")
    poll_interval_seconds: float = Field(
        30.0, ge=1, le=3600, strict=False, description="how long a new job may go unseen"
    )
    max_concurrent_jobs: int = Field(5, ge=1, le=100, description="runs side by side on one node")
    missed_job_window_seconds: float = Field(
        3600.0, ge=0, le=31 * 86400, strict=False, description="how late a missed run may still start"
    )
