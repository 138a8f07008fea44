"""How long an approval waits, and how long it is good for."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AutoApprovalSettings(BaseModel):
    """``approval.auto_approval``: what was approved by hand often enough goes through; never critical or opaque."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    enabled: bool = False
    max_auto_approvals: int = Field(10, ge=1, le=10_000, description="per user and clock hour")
    allowed_tools: tuple[str, ...] = Field((), strict=False, description="empty means none")
    required_approvals: int = Field(3, ge=1, le=1000, description="of the identical call, by hand, that went well")
    window_hours: int = Field(24, ge=1, le=8760)


class ApprovalSettings(BaseModel):
    """``approval``: pending ones expire after ``ttl_seconds``, approved ones after ``use_ttl_seconds``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    ttl_seconds: int = Field(300, ge=1, le=604_800)
    use_ttl_seconds: int = Field(300, ge=1, le=604_800)
    grant_ttl_seconds: int = Field(
        3600, ge=1, le=604_800, description="how long a ruling for a session or a pattern stands"
    )
    critical_quorum: int = Field(1, ge=1, le=10, description="how many people must approve a critical request")
    auto_approval: AutoApprovalSettings = AutoApprovalSettings.model_validate({})
    four_eyes: bool = Field(
        True,
        description="the requester may not decide high and critical requests, but at the terminal they came from",
    )
