"""Limits of one agent run and of what it remembers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AgentSettings(BaseModel):
    """``agent``: when a run must stop."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    max_iterations: int = Field(25, ge=1, le=1000, description="model calls in one run")
    max_steps: int = Field(100, ge=1, le=10_000, description="tool calls in one run")
    max_repeats: int = Field(3, ge=2, le=100, description="equal calls with equal results before the run ends")
    max_result_bytes: int = Field(
        16_384, ge=256, description="of one tool result shown to the model; head and tail are kept"
    )
    max_cost_usd: float | None = Field(None, gt=0, strict=False)


class MemorySettings(BaseModel):
    """``memory``: what a conversation keeps."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    enabled: bool = True
    max_history_messages: int = Field(100, ge=2)
    max_message_bytes: int = Field(32_768, ge=256)
