"""``/v1/policy``: what would be decided, and why; nothing runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from akili_cli.core.execution.understanding import understand
from akili_cli.core.policy.engine import decide
from akili_cli.core.policy.told import told
from akili_cli.domain.calls import Principal, Run, ToolCall
from akili_cli.domain.errors import PolicyDeniedError, UsageError
from akili_cli.gateways.http.auth import Caller, caller
from akili_cli.gateways.http.desk import desk_of
from akili_cli.gateways.http.documented import problems

router = APIRouter(prefix="/v1/policy", tags=["policy"])
_REHEARSAL = "rehearsal"
Label = Annotated[str, Field(min_length=1, max_length=200)]


class Question(BaseModel):
    """A call that nobody makes: a tool with its arguments, or a command line for ``shell_exec``."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra={"examples": [{"command": "systemctl restart x"}]}
    )

    tool: str | None = Field(None, min_length=1, max_length=200)
    arguments: dict[str, Any] = Field(default_factory=dict)
    command: str | None = Field(None, min_length=1, max_length=10_000)
    user: str | None = Field(None, min_length=1, max_length=200, description="somebody else: for admins")
    untrusted: tuple[Label, ...] = Field((), max_length=100, strict=False, description="outside texts in context")
    read_only: bool = False
    autonomous: bool = False

    def call(self) -> ToolCall:
        """Give the call; raises ``UsageError`` unless it is exactly one of the two."""
        if (self.tool is None) == (self.command is None) or (self.command is not None and self.arguments):
            raise UsageError("give either tool (with arguments) or command")
        if self.command is not None:
            return ToolCall(_REHEARSAL, "shell_exec", {"command": self.command})
        return ToolCall(_REHEARSAL, self.tool or "", self.arguments)


@router.post(
    "/explain",
    operation_id="explain_policy",
    summary="Say what would be decided about a call over HTTP, why, and what would change it",
    response_model=dict[str, Any],
    responses=problems(400, 403),
)
def explain(request: Request, question: Question, who: Annotated[Caller, Depends(caller)]) -> dict[str, Any]:
    """Explain, beside the event loop."""
    desk, me = desk_of(request), who.principal
    user = question.user or me.user
    if user != me.user and not desk.is_admin(me):
        raise PolicyDeniedError("only an admin asks about others", hint="leave user out")
    pipeline = desk.pipeline
    run = Run(
        id=_REHEARSAL,
        principal=Principal(user, me.source, org=me.org),
        correlation_id=_REHEARSAL,
        untrusted=question.untrusted,
        read_only=question.read_only,
        autonomous=question.autonomous,
    )
    role = pipeline.role_of(run.principal)
    action = understand(pipeline.tools, question.call(), run, role=role, at=desk.clock.now()).action
    found = desk.redactor.value(told(action, decide(action, pipeline.rules), pipeline.rules))
    assert isinstance(found, dict)
    return found
