"""Fields that several bodies share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from akili_cli.features.cron import model as cron

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
UUID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
ItemId = Annotated[str, Path(pattern=UUID_PATTERN, description="its whole id")]


NoWorkflow = Annotated[
    cron.NoWorkflow,
    WithJsonSchema({"type": "integer", "const": 0, "description": "0: there are no workflows to limit"}),
]
"""A limit of workflows, of which there are none."""

Budget = Annotated[float, Field(ge=0, le=10_000, description="for one run, in USD; 0 means the user's own limits only")]


class Deleted(BaseModel):
    """It is gone."""

    status: Literal["deleted"] = "deleted"


def filled_in(body: BaseModel, *, without: frozenset[str] = frozenset()) -> dict[str, object]:
    """Give what a merging PUT changes: values that are there, and no empty texts or zeros."""
    given: Mapping[str, object] = body.model_dump(exclude_unset=True, exclude_none=True, exclude=set(without))
    return {name: value for name, value in given.items() if isinstance(value, bool) or value not in ("", 0)}
