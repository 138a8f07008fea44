"""Rules at this terminal on a call that waits at a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from akili_cli.adapters.net.gateway import Gateway
from akili_cli.cli import render
from akili_cli.cli.prompt import TerminalAsker
from akili_cli.cli.received import received
from akili_cli.core.approvals.model import AnswerKind
from akili_cli.domain.errors import ConflictError, NotFoundError


async def rule_at_terminal(gateway: Gateway, card: Mapping[str, Any]) -> None:
    """Show the card, take the answer, and hand it to the gateway, which rules on whether it counts.

    Somebody else may have ruled meanwhile: that is said, and is no error.
    """
    approval, facts = received(card)
    answer = await TerminalAsker(facts=facts).ask(approval)
    body: dict[str, object] = {"approval_id": approval.id, "decision": "approve"}
    if answer.kind is AnswerKind.DENY:
        body |= {"decision": "deny", "feedback": answer.feedback}
    elif answer.kind is AnswerKind.EDIT:
        body["arguments"] = dict(answer.arguments or {})
    try:
        done = await gateway.post("/v1/approve", body)
        if answer.kind is AnswerKind.EDIT:
            render.talk("the changed call ran by itself; the run is told that its own was denied", "yellow")
            render.talk(str(done.get("output") or "") if isinstance(done, dict) else "")
    except (ConflictError, NotFoundError) as error:  # ruled on elsewhere, or expired
        render.talk(f"this ruling came too late: {error}", "yellow")
