"""Collects what an approval card shows beyond the approval itself: the sandbox, the money, the file as it is now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping

from akili_cli.adapters.files.paths import open_beneath
from akili_cli.bootstrap.app import State, open_ledger
from akili_cli.bootstrap.policy import tool_roots
from akili_cli.cli.card import CardFacts
from akili_cli.config.paths import protected_roots
from akili_cli.core.approvals.model import Approval
from akili_cli.core.execution.cards import layers_for
from akili_cli.core.sandbox.base import Layer
from akili_cli.domain.errors import AkiliError
from akili_cli.domain.paths import is_within

MAX_PRESENT_BYTES = 262_144


async def card_facts(state: State, layers: Callable[[], tuple[Layer, ...]], approval: Approval) -> CardFacts:
    """Give the facts for one card."""
    ledger = open_ledger(state)
    status, price = await ledger.status(approval.user), ledger.tool_price(approval.tool)
    cost = f"${status.spent_usd:.4f} spent today, ${status.remaining_usd:.2f} left"
    if price:
        cost += f"; this call costs ${price:.4f}"
    present = await asyncio.to_thread(present_text, state, approval.tool, approval.effects)
    return CardFacts(layers_for(approval, layers), present, cost)


def present_text(state: State, tool: str, effects: Mapping[str, object]) -> str | None:
    """Give the text of the file that a write would replace: small, UTF-8, and where the tool may write at all."""
    writes = effects.get("writes")
    path = writes[0] if tool == "file_write" and isinstance(writes, list) and len(writes) == 1 else None
    protected = protected_roots(state.workspace, state.home, state.loaded.own_places)
    if not isinstance(path, str) or any(is_within(path, root) for root in protected):
        return None
    roots = tool_roots(state.loaded, cwd=state.start.cwd, home=state.home).files
    root = next((root for root in roots if is_within(path, root)), None)
    if root is None:
        return None
    try:
        with open(open_beneath(root, path, os.O_RDONLY), "rb") as file:  # noqa: PTH123  # the door gives a descriptor
            data = file.read(MAX_PRESENT_BYTES + 1)
        return data.decode() if len(data) <= MAX_PRESENT_BYTES else None
    except (AkiliError, OSError, UnicodeDecodeError):
        return None
