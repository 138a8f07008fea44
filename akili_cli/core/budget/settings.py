"""How much may be spent, at every level."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Usd = Annotated[float, Field(ge=0, strict=False, allow_inf_nan=False)]


class BudgetSettings(BaseModel):
    """``budget``: USD per UTC day for a user and the organisation, USD and tokens for a run with its children."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    default_limit_usd: float = Field(10.0, gt=0, strict=False, allow_inf_nan=False, description="per user and day")
    organisation_limit_usd: float | None = Field(None, gt=0, strict=False, allow_inf_nan=False, description="per day")
    run_limit_usd: float | None = Field(None, gt=0, strict=False, allow_inf_nan=False)
    max_tokens_per_run: int | None = Field(None, ge=1)
    users: dict[str, Usd] = Field(default_factory=dict, description="limits of single users, per day")
    tool_prices: dict[str, Usd] = Field(default_factory=dict, description="what one call of a tool costs")
