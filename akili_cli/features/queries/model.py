"""What a question is, and what strangers may write into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from akili_cli.core.agent.report import RunReport
from akili_cli.core.schedule.base import FireStatus
from akili_cli.domain.calls import Status
from akili_cli.domain.clock import iso

KIND = "query"
MAX_ATTACHMENTS = 20

MessageText = Annotated[str, StringConstraints(min_length=1, max_length=200_000, pattern=r"\S")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Attachment(BaseModel):
    """A text from outside; the model reads it as data, and what follows from it asks one level higher."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    label: Label
    text: str = Field(max_length=1_048_576)


class QueryDraft(BaseModel):
    """A question as it is asked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    message: MessageText
    conversation_id: str | None = Field(None, max_length=64, description="a UUID; left out, a new conversation begins")
    attachments: tuple[Attachment, ...] = Field((), max_length=MAX_ATTACHMENTS, strict=False)
    autonomous: bool = Field(False, description="no approvals, if the role may; critical still asks")
    read_only: bool = False
    plan: bool = Field(False, description="collect what would change anything as a plan to approve")
    max_cost_usd: float | None = Field(None, gt=0, lt=1e9, strict=False)
    max_steps: int | None = Field(None, ge=1, le=10_000)
    timeout_seconds: float = Field(300.0, gt=0, le=86_400, strict=False)
    runbook: str | None = Field(None, min_length=1, max_length=200, description="play exactly this, without a model")
    inputs: dict[str, str | int | float | bool] = Field(
        default_factory=dict, max_length=100, description="what the runbook is given"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question; ``id`` is the id of the run that answers it.

    ``status`` is its fire's; ``report`` is the ``akili.run/1`` object once the run has ended by itself. ``stop_by``
    is whoever asked for its end, ``failure`` the code of the error that ended it.
    """

    id: str
    org: str
    user: str
    source: str
    correlation_id: str
    conversation_id: str | None
    draft: QueryDraft
    created_at: float
    status: FireStatus = FireStatus.RUNNING
    finished_at: float | None = None
    error: str = ""
    cost_usd: float | None = None
    stop_by: str = ""
    report: Mapping[str, object] = field(default_factory=dict)
    failure: str = ""

    @property
    def fire_id(self) -> str:
        """The fire that answers it."""
        return fire_id(self.id)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.status is not FireStatus.RUNNING

    def outcome(self) -> dict[str, object]:
        """Give the ``akili.run/1`` object, also of a run that ended without making one."""
        if self.report:
            return dict(self.report)
        status = Status.INTERRUPTED if self.status is FireStatus.INTERRUPTED else Status.FAILED
        report = RunReport(status, "", self.correlation_id, self.id, self.conversation_id, error=self.error)
        return report.as_dict()

    def as_dict(self) -> dict[str, object]:
        """Give one line of a list, JSON-ready."""
        return {
            "id": self.id,
            "user_id": self.user,
            "source": self.source,
            "status": str(self.report.get("status", self.status)),
            "message": self.draft.message,
            "conversation_id": self.conversation_id,
            "correlation_id": self.correlation_id,
            "created_at": iso(self.created_at),
            "finished_at": None if self.finished_at is None else iso(self.finished_at),
            "error": self.error or None,
            "cost_usd": self.cost_usd,
            "stopped_by": self.stop_by or None,
        }


def fire_id(query_id: str) -> str:
    """Name the fire of a question: it happens once."""
    return f"{KIND}:{query_id}:once"
