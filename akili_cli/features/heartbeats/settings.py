"""Settings of the heartbeats room: ``heartbeat_tasks``."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from akili_cli.features.heartbeats.model import Notify, User

Directory = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class HeartbeatSettings(BaseModel):
    """``heartbeat_tasks``: where task files lie, and how this node runs them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    enabled: bool = Field(False, description="run heartbeat tasks in the gateway")
    tasks_dirs: tuple[Directory, ...] = Field(
        (), strict=False, max_length=100, description="directories of task files; no tool may touch them"
    )
    poll_interval_seconds: float = Field(
        30.0, ge=1, le=3600, strict=False, description="how long a new task may go unseen"
    )
    file_poll_interval_seconds: float = Field(
        60.0, ge=1, le=86_400, strict=False, description="seconds between two looks at the files"
    )
    max_concurrent_tasks: int = Field(3, ge=1, le=100, description="runs side by side on one node")
    quick_task_timeout_seconds: float = Field(60.0, gt=0, le=86_400, strict=False)
    long_task_timeout_seconds: float = Field(300.0, gt=0, le=86_400, strict=False)
    default_user_id: User = Field("system", description="whose authority a file without user_id has")
    proactive_alerts: bool = Field(False, description="a failure is told as an issue that awaits guidance")
    max_runs_per_day: int | None = Field(
        None, ge=1, le=100_000, description="for each task (UTC days); none means no limit"
    )
    notify: Notify = Field(Notify.CHANGE, strict=False, description="which runs channels are told of")

    @model_validator(mode="after")
    def _has_files(self) -> Self:
        if self.enabled and not self.tasks_dirs:
            raise ValueError("heartbeat_tasks.enabled needs at least one directory in tasks_dirs")
        return self
