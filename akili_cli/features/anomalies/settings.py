"""Settings of the anomalies room: ``observability.anomaly``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class AnomalySettings(BaseModel):
    """``observability.anomaly``: when a node says that something is out of the ordinary."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    enabled: bool = False
    window_seconds: int = Field(300, ge=10, le=86_400, description="how far back each rule looks")
    error_rate_threshold: float = Field(
        0.5, gt=0, lt=1, strict=False, description="share of errors of one operation, of 5 or more"
    )
    budget_spike_multiplier: float = Field(
        3.0, gt=1, le=1000, strict=False, description="a user's spending, over the average of the windows before"
    )
    denial_burst: int = Field(10, ge=2, le=10_000, description="refusals of one user within the window")
    approval_burst: int = Field(5, ge=2, le=10_000, description="approvals in a row by one person, each a quick one")
    approval_seconds: float = Field(5.0, gt=0, le=3600, strict=False, description="an approval this soon is quick")
    cooldown_seconds: int = Field(900, ge=0, le=7 * 86_400, description="until the same is said again")
    notify: tuple[Name, ...] = Field((), strict=False, max_length=20, description="channels that are told")
    notify_as: Name = Field("system", description="the user whose permission the message needs")
