"""One decision as data: everything that made it and all that would change it."""

from __future__ import annotations

from collections.abc import Mapping

from akili_cli.core.policy.engine import DEFAULT_DENY, RuleSet
from akili_cli.core.policy.explain import changes, smallest_allow
from akili_cli.core.policy.model import Action, Rule
from akili_cli.domain.decisions import Decision

_MATCHED = ("tools", "users", "commands", "reads", "writes", "deletes", "domains")


def told(
    action: Action, decision: Decision, rules: RuleSet, recorded: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Give the object of `akili policy explain --json`; ``recorded`` is what was decided then, if it was."""
    allow = addable(action, decision, rules)
    run = action.run
    return {
        "tool": action.tool,
        "user": run.principal.user,
        "role": action.role,
        "agent": run.principal.agent,
        "source": str(run.principal.source),
        "skill": run.skill,
        "autonomous": run.autonomous,
        "read_only": run.read_only,
        "untrusted": list(run.untrusted),
        "verdict": str(decision.verdict),
        "risk": str(decision.risk),
        "risk_reasons": [base_risk(action, decision), *decision.risk_reasons],
        "effects": action.effects.as_dict(),
        "rules": [
            {"id": hit.rule_id, "verdict": str(hit.verdict), "origin": str(hit.origin), "because": hit.because}
            for hit in decision.hits
        ],
        "changes": [
            {"condition": one.condition, "verdict": str(one.verdict), "rule": one.by} for one in changes(action, rules)
        ],
        "smallest_allow": None if allow is None else as_settings(allow),
        **({"recorded": dict(recorded)} if recorded else {}),
    }


def base_risk(action: Action, decision: Decision) -> str:
    """Say where the risk of an action starts."""
    text = f"{action.tool} starts at {action.risk}"
    lowered = decision.risk < action.risk
    return f"{text}; an allow rule lowers it" if lowered else text


def addable(action: Action, decision: Decision, rules: RuleSet) -> Rule | None:
    """Give the smallest rule that would allow what no rule allows, if one can."""
    return smallest_allow(action, rules) if decision.ruling == DEFAULT_DENY else None


def as_settings(rule: Rule) -> dict[str, object]:
    """Give a rule as it is written under ``policies.rules``."""
    match = {name: list(value) for name in _MATCHED if (value := getattr(rule.match, name))}
    return {"id": rule.id, "match": match, "verdict": "allow", "because": rule.because}
