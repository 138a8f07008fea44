"""Lets a conversation learn what came of a call that waited for a human; the same words wherever the ruling came in."""

from __future__ import annotations

from akili_cli.core.agent.history import History
from akili_cli.core.approvals.model import Approval
from akili_cli.domain.calls import Status, StepResult
from akili_cli.domain.errors import NotFoundError


async def tell_outcome(history: History | None, approval: Approval, step: StepResult) -> str:
    """Write what came of an approved call over the result that waited; give why that was not possible, or nothing."""
    return await _tell(history, approval, step.text, step.status is not Status.OK, step.untrusted)


async def tell_refusal(history: History | None, approval: Approval) -> str:
    """Write a denial over the result that waited; give why that was not possible, or nothing."""
    words = f": {approval.feedback}" if approval.feedback else ""
    return await _tell(history, approval, f"Refused: {approval.resolved_by} said no{words}", True, None)


async def _tell(history: History | None, approval: Approval, text: str, is_error: bool, untrusted: str | None) -> str:
    """A run that waits hears it by itself, and writes it down when it ends."""
    if history is None or approval.conversation_id is None or approval.waits:
        return ""
    try:
        await history.replace_result(approval.conversation_id, approval.call_id, text, is_error, untrusted)
    except NotFoundError as error:
        return f"the conversation does not learn of it: {error}"
    return ""
