"""Settings of the alerts room: ``alerting``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AlertingSettings(BaseModel):
    """``alerting``: whether and how this node checks targets."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    enabled: bool = Field(False, description="run checks in the gateway")
    poll_interval_seconds: float = Field(
        30.0, ge=1, le=3600, strict=False, description="how long a new rule may go unseen"
    )
    max_concurrent_checks: int = Field(10, ge=1, le=200, description="checks side by side on one node")
    default_cooldown_seconds: int = Field(
        300, ge=1, le=7 * 86400, description="of a rule that does not say: between two of its messages"
    )
