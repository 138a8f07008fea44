"""Settings of one webhook: an item of ``gateways.http.webhooks``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

GOAL = "Something was reported from outside; the attachment says what. Find out what is wrong and what to do about it."
_REFERENCE = re.compile(r"[a-z][a-z0-9+.-]*://\S+")


def _reference(text: str) -> str:
    if not _REFERENCE.fullmatch(text):
        raise ValueError("must be a reference (env://NAME or file:///path), never the secret itself")
    return text


class WebhookSettings(BaseModel):
    """One way in for deliveries. What it begins runs as ``user``, whose role may not be admin."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="the last part of its path")
    kind: Literal["alertmanager", "signed"]
    user: str = Field(min_length=1, max_length=200, description="in whose name its runs are")
    secret: Annotated[str, AfterValidator(_reference)] = Field(
        max_length=500, description="a reference: the bearer token of alertmanager, the key of signatures"
    )
    role: str | None = Field(None, min_length=1, max_length=200, description="the role that the user must have")
    goal: str = Field(GOAL, min_length=1, max_length=10_000, pattern=r"\S")
    read_only: bool = Field(True, description="its runs change nothing")
    max_per_hour: int = Field(20, ge=1, le=10_000, description="runs begun")
