"""The approval card as data: everything a surface shows before somebody rules, the sandbox and the cost among it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from akili_cli.core.approvals.model import Approval
from akili_cli.core.approvals.request import as_card
from akili_cli.core.budget.ledger import Ledger
from akili_cli.core.sandbox.base import Layer
from akili_cli.domain.errors import SandboxError


async def whole_card(
    approval: Approval, layers: Callable[[], tuple[Layer, ...]], ledger: Ledger
) -> Mapping[str, object]:
    """Give the card, JSON-ready.

    ``sandbox`` lists the layers that would hold the call, or is None when it runs no command; ``cost`` is what its
    user spent today, what is left, and what this call costs by itself.
    """
    found = layers_for(approval, layers)
    status = await ledger.status(approval.user)
    return {
        **as_card(approval),
        "sandbox": [{"name": one.name, "active": one.active, "detail": one.detail} for one in found] if found else None,
        "cost": {
            "spent_usd": status.spent_usd,
            "remaining_usd": status.remaining_usd,
            "call_usd": ledger.tool_price(approval.tool),
        },
    }


def layers_for(approval: Approval, layers: Callable[[], tuple[Layer, ...]]) -> tuple[Layer, ...]:
    """Give the layers that would hold a call; one that could not be tried counts as missing."""
    if not (approval.effects.get("commands") or approval.effects.get("opaque")):
        return ()
    try:
        return layers()
    except SandboxError as error:
        return (Layer("sandbox", False, str(error), error.hint),)
