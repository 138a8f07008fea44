"""Approvals as a gateway sends them, read back for the same card that this machine shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from akili_cli.cli.card import CardFacts
from akili_cli.core.approvals.model import Approval, ApprovalStatus
from akili_cli.core.sandbox.base import Layer
from akili_cli.domain.calls import Source
from akili_cli.domain.errors import AkiliError


def received(card: object) -> tuple[Approval, CardFacts]:
    """Give the approval of a card and what else the card says; raises ``AkiliError`` for what is no card."""
    try:
        known: Mapping[str, Any] = dict(card)  # type: ignore[call-overload] # whatever it is, it is tried
        return _approval(known), CardFacts(_layers(known.get("sandbox")), None, _cost(known.get("cost")))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AkiliError(f"the gateway sent an approval that cannot be shown ({type(error).__name__})") from None


def _approval(card: Mapping[str, Any]) -> Approval:
    return Approval(
        id=str(card["id"]),
        org="",
        user=str(card["user"]),
        source=Source(card["source"]),
        run_id="",
        correlation_id="",
        call_id="",
        tool=str(card["tool"]),
        arguments=dict(card["arguments"]),
        digest=str(card["digest"]),
        risk=str(card["risk"]),
        effects=dict(card["effects"]),
        rule_id=str(card["rule"]),
        rule_origin=str(card["origin"]),
        because=str(card["because"]),
        reason=str(card["reason"]),
        cwd=str(card["cwd"]),
        host=str(card["host"]),
        created_at=float(card["created_at"]),
        expires_at=float(card["expires_at"]),
        agent=_text(card.get("agent")),
        untrusted=tuple(map(str, card["untrusted"])),
        plan_id=_text(card.get("plan")),
        status=ApprovalStatus(card["status"]),
        resolved_by=_text(card.get("resolved_by")),
        feedback=_text(card.get("feedback")),
    )


def _layers(layers: Any) -> tuple[Layer, ...]:  # noqa: ANN401 - whatever JSON holds
    return tuple(Layer(str(one["name"]), one["active"] is True, str(one["detail"])) for one in layers or ())


def _cost(cost: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    if not cost:
        return ""
    text = f"${float(cost['spent_usd']):.4f} spent today, ${float(cost['remaining_usd']):.2f} left"
    return text + (f"; this call costs ${float(cost['call_usd']):.4f}" if cost.get("call_usd") else "")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
