"""The approval card: the same fields on every surface, nothing cut, nothing hidden."""

from __future__ import annotations

from datetime import UTC, datetime

from akili_cli.cli.render import safe
from akili_cli.core.approvals.model import Approval
from akili_cli.domain.calls import canonical_json

_LONG = ("command", "content", "code", "query")


def card_lines(approval: Approval) -> list[str]:
    """Give the card as lines of plain text; control and invisible characters are shown as escapes."""
    expires = datetime.fromtimestamp(approval.expires_at, UTC).strftime("%H:%M:%S UTC")
    effects = approval.effects
    lines = [
        f"approval   {approval.id}  ({approval.status}, expires {expires})",
        f"tool       {approval.tool}   risk {approval.risk}",
        f"who        {approval.user} via {approval.source}" + (f" (agent {approval.agent})" if approval.agent else ""),
        f"where      {approval.host}:{approval.cwd}",
    ]
    for name, value in approval.arguments.items():
        lines.extend(_argument(name, value))
    lines += [
        f"effects    {_effects(approval)}",
        f"undo       {'can be undone' if effects.get('reversible', True) else 'CANNOT be undone'}",
        f"rule       {approval.rule_id} ({approval.rule_origin}): {approval.because}",
    ]
    if approval.untrusted:
        lines.append(f"untrusted  in context: {', '.join(approval.untrusted)}")
    if approval.reason.strip():
        lines.append("the model says (not verified):")
        lines.extend(f"    {line}" for line in approval.reason.strip().splitlines())
    if approval.resolved_by:
        said = f": {approval.feedback}" if approval.feedback else ""
        lines.append(f"resolved   {approval.status} by {approval.resolved_by}{said}")
    return [safe(line.replace("\t", "\\t").replace("\r", "\\r")) for line in lines]


def _argument(name: str, value: object) -> list[str]:
    text = value if isinstance(value, str) else canonical_json(value)
    if name in _LONG or "\n" in text:
        return [f"{name}:", *(f"    | {line}" for line in text.split("\n"))]
    return [f"{name.ljust(10)} {text}"]


def _effects(approval: Approval) -> str:
    shown = [
        f"{kind} {', '.join(' '.join(v) if isinstance(v, list) else str(v) for v in values)}"
        for kind, values in approval.effects.items()
        if isinstance(values, list) and values
    ]
    return "; ".join(shown) or "none known"
