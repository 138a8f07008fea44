"""How long an approval waits, and how long it is good for."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ApprovalSettings(BaseModel):
    """``approval``: pending ones expire after ``ttl_seconds``, approved ones after ``use_ttl_seconds``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    ttl_seconds: int = Field(300, ge=1, le=604_800)
    use_ttl_seconds: int = Field(300, ge=1, le=604_800)
    four_eyes: bool = Field(
        True,
        description="the requester may not decide high and critical requests, but at the terminal they came from",
    )
