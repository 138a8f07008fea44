"""Settings of readiness: ``observability.health``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class HealthSettings(BaseModel):
    """``observability.health``: what ``/readyz`` asks beside the engine, the audit and the ticker."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    include_db: bool = Field(True, description="read from and write to the database")
    include_sandbox: bool = Field(True, description="the layers that sandbox.require names")
