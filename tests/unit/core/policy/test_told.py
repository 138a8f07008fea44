from __future__ import annotations

from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.core.policy.told import addable, as_settings, told
from akili_cli.domain.effects import Effects
from tests.fakes.actions import action
from tests.fakes.wiring import rules_of

LOOKS = action("look", effects=Effects(reads=("/srv/x",)))


def test_a_decision_is_told_with_everything_that_made_it() -> None:
    rules = rules_of()
    found = told(LOOKS, decide(LOOKS, rules), rules)
    assert (found["tool"], found["verdict"]) == ("look", str(decide(LOOKS, rules).verdict))
    assert found["effects"] == LOOKS.effects.as_dict()
    assert "recorded" not in found


def test_what_no_rule_allows_is_told_with_the_smallest_rule_that_would() -> None:
    rules = RuleSet([])
    decision = decide(LOOKS, rules)
    rule = addable(LOOKS, decision, rules)
    assert rule is not None
    assert told(LOOKS, decision, rules)["smallest_allow"] == as_settings(rule)


def test_what_was_decided_then_stands_beside() -> None:
    rules = rules_of()
    assert told(LOOKS, decide(LOOKS, rules), rules, {"id": "a-1"})["recorded"] == {"id": "a-1"}
