"""How much a user may spend."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BudgetSettings(BaseModel):
    """``budget``: USD per user and UTC day."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    default_limit_usd: float = Field(10.0, gt=0, strict=False)
