"""What would change a decision: which rules stand in the way, which circumstances, and the smallest rule to add."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from akili_cli.core.policy.engine import DEFAULT_DENY, RuleSet, decide
from akili_cli.core.policy.model import Action, Match, Rule
from akili_cli.domain.decisions import BUILT_IN, Decision, Verdict
from akili_cli.domain.effects import Command

MAX_STEPS = 4
NEW_RULE = "new-rule"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would change a decision, and what it would then be, by which rule."""

    condition: str
    verdict: Verdict
    by: str


def changes(action: Action, rules: RuleSet) -> tuple[Change, ...]:
    """Give what would change the decision on an action: without its deciding rules, and in other circumstances."""
    now = decide(action, rules)
    return (*_peeled(action, rules, now), *_circumstances(action, rules, now))


def _peeled(action: Action, rules: RuleSet, decision: Decision) -> Iterator[Change]:
    """Take away whatever decides, again and again, until nothing is left to take or the call would run."""
    gone: list[str] = []
    for _ in range(MAX_STEPS):
        if decision.ruling == DEFAULT_DENY:
            return
        gone += [hit.rule_id for hit in decision.hits if hit.verdict is decision.verdict]
        decision = decide(action, rules.without(gone))
        yield Change(f"without {', '.join(gone)}", decision.verdict, decision.ruling.rule_id)
        if decision.verdict is Verdict.ALLOW:
            return


def _circumstances(action: Action, rules: RuleSet, now: Decision) -> Iterator[Change]:
    run = action.run
    others = {
        "without untrusted text in context": replace(run, untrusted=()),
        "in a run that is not read-only": replace(run, read_only=False),
        "in an autonomous run": replace(run, autonomous=True),
        "in a run that is not autonomous": replace(run, autonomous=False),
    }
    for condition, other in others.items():
        if other != run:
            then = decide(replace(action, run=other), rules)
            if then.verdict is not now.verdict:
                yield Change(condition, then.verdict, then.ruling.rule_id)


def smallest_allow(action: Action, rules: RuleSet) -> Rule | None:
    """Give the narrowest allow rule that would end a default denial, or None when no allow rule can."""
    effects = action.effects
    if effects.nodes or effects.secrets or effects.channels or effects.servers:
        return None
    match = Match(
        tools=(action.tool,),
        users=(action.run.principal.user,),
        commands=tuple(dict.fromkeys(_pattern(command) for command in effects.commands)),
        reads=effects.reads,
        writes=effects.writes,
        deletes=effects.deletes,
        domains=effects.hosts,
    )
    rule = Rule(NEW_RULE, BUILT_IN, Verdict.ALLOW, match, "say why this is right")
    taken = rules.without({NEW_RULE}).adding(rule)
    return rule if decide(action, taken).ruling != DEFAULT_DENY else None


def _pattern(command: Command) -> str:
    return shlex.join((command.path or command.program, *command.argv[1:]))
