"""A cron job with everything filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from akili_cli.core.schedule.base import OnMissed, Overlap
from akili_cli.features.cron.model import CronJob

JOB = CronJob(
    id="j1",
    org="default",
    name="nightly",
    description="",
    cron_expression="0 9 * * *",
    goal="look",
    user="ann",
    budget_limit_usd=None,
    enabled=True,
    on_missed=OnMissed.RUN_ONCE,
    overlap=Overlap.SKIP,
    notify=(),
    next_run_at=0.0,
    created_at=0.0,
    updated_at=0.0,
)


def job(**more: Any) -> CronJob:
    return replace(JOB, **more)
