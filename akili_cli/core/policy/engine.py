"""The policy decision point: one pure function from an action and the rules to a decision that explains itself."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import replace

from akili_cli.core.policy.index import RuleIndex
from akili_cli.core.policy.match import compile_match
from akili_cli.core.policy.model import Action, Condition, Rule
from akili_cli.domain.decisions import BUILT_IN, Decision, RuleHit, Verdict
from akili_cli.domain.risk import Risk

DEFAULT_DENY = RuleHit("default-deny", BUILT_IN, Verdict.DENY, "no rule allows it")
_STRENGTH = {Verdict.DENY: 0, Verdict.ASK: 1, Verdict.ALLOW: 2}


class RuleSet:
    """All rules in force, compiled once. ``digest`` changes whenever any rule changes."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Compile the rules; raises ``ValueError`` for a pattern that cannot be read or an id used twice."""
        self.rules = tuple(rules)
        ids = [rule.id for rule in self.rules]
        twice = {name for name in ids if ids.count(name) > 1} if len(set(ids)) != len(ids) else set()
        if twice:
            raise ValueError(f"rule id used twice: {', '.join(sorted(twice))}")
        compiled = [(rule, compile_match(rule.match, rule.verdict)) for rule in self.rules]
        self._index = RuleIndex(compiled)
        self._lowering = [one for one in compiled if one[0].risk is not None]
        self.digest = hashlib.sha256(repr(self.rules).encode()).hexdigest()

    def lowest_risk(self, action: Action) -> Risk:
        """Give the lowest level that a matching allow rule states, at most the action's own."""
        stated = [rule.risk for rule, tests in self._lowering if _pass(tests, action)]
        return min([action.risk, *(risk for risk in stated if risk is not None)])

    def matching(self, action: Action) -> list[Rule]:
        """Give every rule that speaks to an action."""
        return [rule for rule, tests in self._index.candidates(action) if _pass(tests, action)]

    def without(self, ids: Collection[str]) -> RuleSet:
        """Give the set as it would be without some rules."""
        return RuleSet(rule for rule in self.rules if rule.id not in ids)

    def adding(self, rule: Rule) -> RuleSet:
        """Give the set as it would be with one rule more."""
        return RuleSet((*self.rules, rule))


def _pass(tests: tuple[Condition, ...], action: Action) -> bool:
    for test in tests:  # noqa: SIM110 - twice as fast as all() with a generator, and on the path of every call
        if not test(action):
            return False
    return True


def decide(action: Action, rules: RuleSet) -> Decision:
    """Rule on an action. Pure: the same action and rules always give the same decision.

    1. Allow rules that name a risk may lower where the risk starts.
    2. What the effects are, and untrusted text in context, raise it again.
    3. Every rule is matched at that risk; deny beats ask beats allow; nothing at all is a denial. Of rules that
    say the same, those that speak to what is known of an opaque action come first.
    """
    risk, reasons = _raise(action, rules.lowest_risk(action))
    ruled = action if risk is action.risk else replace(action, risk=risk)
    matched = _silence_asks(rules.matching(ruled))
    blind = _blind(matched, ruled, rules)
    hits = [RuleHit(rule.id, rule.origin, rule.verdict, _because(rule, action, blind)) for rule in matched]
    hits.sort(key=lambda hit: (_STRENGTH[hit.verdict], hit.rule_id in blind, hit.rule_id))
    hits = hits or [DEFAULT_DENY]
    return Decision(hits[0].verdict, risk, tuple(hits), tuple(reasons))


def spoken(action: Action, rules: RuleSet) -> list[Rule]:
    """Give every rule that speaks to an action at its effective risk, also asks that an autonomous run silences."""
    risk, _reasons = _raise(action, rules.lowest_risk(action))
    return rules.matching(replace(action, risk=risk))


def _silence_asks(matched: list[Rule]) -> list[Rule]:
    """Let an ``over_ask`` rule stand in for the asks, but only beside another rule that allows the call."""
    silencers = [rule for rule in matched if rule.over_ask]
    others = [rule for rule in matched if not rule.over_ask]
    verdicts = {rule.verdict for rule in others}
    if not silencers or Verdict.DENY in verdicts or Verdict.ALLOW not in verdicts:
        return others
    return silencers + [rule for rule in others if rule.verdict is Verdict.ALLOW]


def _raise(action: Action, start: Risk) -> tuple[Risk, list[str]]:
    risk, reasons, effects = start, [], action.effects
    if effects.opaque is not None:
        risk, why = max(risk, Risk.HIGH), f"its effects cannot be known: {effects.opaque}"
        reasons.append(why)
    if not effects.reversible:
        risk = max(risk, Risk.HIGH)
        reasons.append("it cannot be undone")
    acts = effects.changes or effects.hosts or effects.commands or not action.read_only
    if action.run.untrusted and acts:
        risk = risk.raised()
        reasons.append(f"untrusted text is in context ({', '.join(action.run.untrusted[:3])})")
    return risk, reasons


def _blind(matched: list[Rule], action: Action, rules: RuleSet) -> frozenset[str]:
    """Give the ids of rules that match only because the effects cannot be known."""
    if action.effects.opaque is None:
        return frozenset()
    known = rules.matching(replace(action, effects=replace(action.effects, opaque=None)))
    return frozenset(rule.id for rule in matched) - frozenset(rule.id for rule in known)


def _because(rule: Rule, action: Action, blind: frozenset[str]) -> str:
    if rule.id in blind and rule.verdict is Verdict.DENY:
        return f"{rule.because}; the effects cannot be known: {action.effects.opaque}"
    return rule.because
