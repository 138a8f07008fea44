"""Settings of undo."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class UndoSettings(BaseModel):
    """``undo``: how much is kept of what files were before; the oldest images make room for new ones."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    enabled: bool = True
    max_file_bytes: int = Field(10_485_760, ge=1, le=1 << 30, description="larger files cannot be undone")
    max_total_bytes: int = Field(1_073_741_824, ge=1, description="all images together, compressed")

    @model_validator(mode="after")
    def _one_fits(self) -> UndoSettings:
        if self.max_total_bytes < self.max_file_bytes:
            raise ValueError("max_total_bytes must be at least max_file_bytes")
        return self
