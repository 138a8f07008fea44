from __future__ import annotations

from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.core.policy.explain import changes, smallest_allow
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.fakes.actions import action, command, run_of


def rule(name: str, verdict: Verdict, match: Match = Match(), **more: object) -> Rule:
    return Rule(name, Origin("p.yaml", 1), verdict, match, "why", **more)  # type: ignore[arg-type]


def told(what: object, rules: RuleSet) -> list[tuple[str, str, str]]:
    return [(one.condition, str(one.verdict), one.by) for one in changes(what, rules)]  # type: ignore[arg-type]


def test_deciding_rules_are_taken_away_until_the_call_would_run() -> None:
    rules = RuleSet(
        [rule("d1", Verdict.DENY), rule("d2", Verdict.DENY), rule("a", Verdict.ASK), rule("y", Verdict.ALLOW)]
    )
    assert told(action(), rules) == [("without d1, d2", "ask", "a"), ("without d1, d2, a", "allow", "y")]


def test_what_only_the_default_denies_has_nothing_to_take_away() -> None:
    assert told(action(), RuleSet([])) == []


def test_circumstances_that_change_the_decision_are_named() -> None:
    rules = RuleSet(
        [
            rule("y", Verdict.ALLOW),
            rule("grave", Verdict.ASK, Match(min_risk=Risk.CRITICAL)),
            rule("ro", Verdict.DENY, Match(condition=lambda a: a.run.read_only)),
            rule("quiet", Verdict.ALLOW, Match(condition=lambda a: a.run.autonomous), over_ask=True),
        ]
    )
    effects = Effects(commands=(command("id"),))
    assert ("without untrusted text in context", "allow", "y") in told(
        action(effects=effects, run=run_of(untrusted=("stdin",))), rules
    )
    assert ("in a run that is not read-only", "allow", "y") in told(action(run=run_of(read_only=True)), rules)
    assert ("in an autonomous run", "allow", "quiet") in told(
        action(effects=effects, run=run_of(untrusted=("stdin",))), rules
    )


def test_the_smallest_allow_rule_allows_exactly_that_call() -> None:
    rules = RuleSet([])
    what = action(effects=Effects(commands=(command("cat", "/srv/x"),), reads=("/srv/x",)))
    found = smallest_allow(what, rules)
    assert found is not None
    wider = rules.adding(found)
    assert decide(what, wider).verdict is Verdict.ALLOW
    other = action(effects=Effects(commands=(command("cat", "/srv/y"),), reads=("/srv/y",)))
    assert decide(other, wider).verdict is Verdict.DENY
    assert decide(action(effects=what.effects, run=run_of("bob")), wider).verdict is Verdict.DENY


def test_no_rule_allows_what_cannot_be_known() -> None:
    assert smallest_allow(action(effects=Effects(opaque="eval")), RuleSet([])) is None


def test_no_rule_of_this_kind_names_other_effects() -> None:
    assert smallest_allow(action(effects=Effects(nodes=("n1",))), RuleSet([])) is None
