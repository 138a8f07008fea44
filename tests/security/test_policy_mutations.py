"""Each predicate of a rule matters: without it, or with it turned, some decision is another."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.core.policy.hours import DAYS, Hours
from akili_cli.core.policy.model import Action, Match, Rule
from akili_cli.domain.calls import Source
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.fakes.actions import action, command, run_of

HOUR = 3600.0
INSIDE, OUTSIDE = 23.5 * HOUR, 12 * HOUR
NIGHT = Hours(DAYS, 22 * 60, 6 * 60, "UTC")
CASES: dict[str, tuple[Match, Action, Action]] = {
    "tools": (Match(tools=("a",)), action("a"), action("b")),
    "permissions": (Match(permissions=("a",)), action(permission="a"), action(permission="b")),
    "users": (Match(users=("ann",)), action(run=run_of("ann")), action(run=run_of("ben"))),
    "roles": (Match(roles=("a",)), action(role="a"), action(role=None)),
    "agents": (Match(agents=("a",)), action(run=run_of(agent="a")), action()),
    "principals": (Match(principals=("a",)), action(role="a"), action(role="b")),
    "sources": (Match(sources=("repl",)), action(run=run_of(source=Source.REPL)), action()),
    "effects": (Match(effects=("writes",)), action(effects=Effects(writes=("/a",))), action()),
    "paths": (Match(paths=("/a",)), action(effects=Effects(reads=("/a/b",))), action(effects=Effects(reads=("/ab",)))),
    "reads": (Match(reads=("/a",)), action(effects=Effects(reads=("/a",))), action(effects=Effects(writes=("/a",)))),
    "writes": (Match(writes=("/a",)), action(effects=Effects(writes=("/a",))), action(effects=Effects(reads=("/a",)))),
    "deletes": (
        Match(deletes=("/a",)),
        action(effects=Effects(deletes=("/a",))),
        action(effects=Effects(writes=("/a",))),
    ),
    "commands": (
        Match(commands=("git push",)),
        action(effects=Effects(commands=(command("git", "push"),))),
        action(effects=Effects(commands=(command("git", "pull"),))),
    ),
    "domains": (
        Match(domains=("*.a.example",)),
        action(effects=Effects(hosts=("b.a.example:443",))),
        action(effects=Effects(hosts=("ba.example:443",))),
    ),
    "nodes": (Match(nodes=("n",)), action(effects=Effects(nodes=("n",))), action(effects=Effects(nodes=("m",)))),
    "skills": (Match(skills=("s",)), action(run=run_of(skill="s")), action(run=run_of(skill="t"))),
    "min_risk": (Match(min_risk=Risk.HIGH), action(risk=Risk.HIGH), action(risk=Risk.MEDIUM)),
    "max_risk": (Match(max_risk=Risk.MEDIUM), action(risk=Risk.MEDIUM), action(risk=Risk.HIGH)),
    "hours": (Match(hours=NIGHT), action(at=INSIDE), action(at=OUTSIDE)),
    "unless_tools": (Match(unless_tools=("a",)), action("b"), action("a")),
    "unless_permissions": (Match(unless_permissions=("a",)), action(permission="b"), action(permission="a")),
    "unless_paths": (
        Match(unless_paths=("/a",)),
        action(effects=Effects(reads=("/b",))),
        action(effects=Effects(reads=("/a",))),
    ),
    "unless_commands": (
        Match(unless_commands=("id",)),
        action(effects=Effects(commands=(command("rm"),))),
        action(effects=Effects(commands=(command("id"),))),
    ),
    "unless_domains": (
        Match(unless_domains=("a.example",)),
        action(effects=Effects(hosts=("b.example:1",))),
        action(effects=Effects(hosts=("a.example:1",))),
    ),
    "unless_skills": (Match(unless_skills=("s",)), action(run=run_of(skill="t")), action(run=run_of(skill="s"))),
    "condition": (Match(condition=lambda a: a.run.read_only), action(run=run_of(read_only=True)), action()),
}


def verdict(match: Match, what: Action, *, deny: bool = True) -> Verdict:
    rule = Rule("r", BUILT_IN, Verdict.DENY if deny else Verdict.ASK, match, "why")
    return decide(what, RuleSet([rule, Rule("yes", BUILT_IN, Verdict.ALLOW, Match(), "why")])).verdict


def test_every_predicate_there_is_has_its_case() -> None:
    assert set(CASES) == {field.name for field in fields(Match)}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("deny", [True, False], ids=["deny", "ask"])
def test_a_predicate_that_is_dropped_changes_a_decision(name: str, deny: bool) -> None:
    match, inside, outside = CASES[name]
    mine = Verdict.DENY if deny else Verdict.ASK
    assert verdict(match, inside, deny=deny) is mine
    assert verdict(match, outside, deny=deny) is Verdict.ALLOW
    dropped = replace(match, **{name: getattr(Match(), name)})
    assert verdict(dropped, outside, deny=deny) is mine


@pytest.mark.parametrize("name", [n for n, (m, _, _) in CASES.items() if isinstance(getattr(m, n), tuple)])
def test_an_entry_that_is_another_changes_a_decision(name: str) -> None:
    match, inside, _outside = CASES[name]
    other = (
        ("deletes",)
        if name == "effects"
        else ("/zz",)
        if name[-5:] in ("paths", "reads", "rites", "letes")
        else ("zz",)
    )
    turned = replace(match, **{name: other})
    if name.startswith("unless_"):
        assert verdict(turned, _outside) is Verdict.DENY
    else:
        assert verdict(turned, inside) is Verdict.ALLOW


@pytest.mark.parametrize("name", ["reads", "writes", "deletes", "commands", "hosts"])
def test_an_allow_rule_about_one_effect_lets_no_other_through(name: str) -> None:
    extra = {"commands": (command("id"),), "hosts": ("a.example:1",)}.get(name, ("/zz",))
    allow = Rule("a", BUILT_IN, Verdict.ALLOW, Match(paths=("/a",)), "why")
    plain = action(effects=Effects(reads=("/a/x",)))
    assert decide(plain, RuleSet([allow])).verdict is Verdict.ALLOW
    effects = replace(plain.effects, **{name: (*getattr(plain.effects, name), *extra)})
    assert decide(replace(plain, effects=effects), RuleSet([allow])).verdict is Verdict.DENY
