from __future__ import annotations

import pytest

from akili_cli.core.policy.compile import CapabilitySpec, PolicySpec, RoleSpec, compile_rules
from akili_cli.core.policy.lint import Level, lint, refusals
from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.policy.reach import ToolReach, World
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.risk import Risk

HERE = Origin("p.yaml", 7)
TOOLS = (
    ToolReach("shell_exec", "shell_exec", Risk.HIGH, frozenset({"reads", "writes", "commands"}), opaque=True),
    ToolReach("file_read", "read_files", Risk.LOW, frozenset({"reads"})),
)
WORLD = World(TOOLS, {"ann": "operator"}, None, {"operator": HERE})


def rule(name: str, verdict: Verdict, **match: object) -> Rule:
    return Rule(name, Origin("p.yaml", int(name[-1])), verdict, Match(**match), "why")  # type: ignore[arg-type]


def said(*rules: Rule, world: World = WORLD) -> list[str]:
    return [f"{one.level} {one.rule_id} {one.what}" for one in lint(rules, world)]


def test_sound_rules_are_left_alone() -> None:
    assert said(rule("r1", Verdict.DENY, paths=("/etc",)), rule("r2", Verdict.ASK, commands=("git push",))) == []


@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.ASK])
def test_a_restriction_that_never_restricts_is_an_error(verdict: Verdict) -> None:
    dead = rule("r1", verdict, tools=("file_read",), writes=("/etc",))
    assert [one.level for one in refusals([dead], WORLD)] == [Level.ERROR]
    assert said(dead) == [f"error r1 it can never {verdict} anything: file_read never does what it names"]


def test_an_allow_rule_that_never_allows_is_a_warning() -> None:
    assert refusals([rule("r1", Verdict.ALLOW, tools=("file_read",), writes=("/x",))], WORLD) == ()
    assert said(rule("r1", Verdict.ALLOW, tools=("file_read",), writes=("/x",)))[0].startswith(
        "warning r1 it can never"
    )


def test_a_policy_that_binds_nobody_is_an_error() -> None:
    world = World(TOOLS, {"ann": "operator"}, None, {"operator": HERE}, {"tight": HERE})
    assert said(world=world) == ["error capability:tight it is bound to nobody, so it restricts nothing"]


def test_built_in_rules_and_roles_are_not_questioned() -> None:
    roles = (RoleSpec("operator", (), Risk.LOW), RoleSpec("viewer", ("read_files",), Risk.LOW))
    assert refusals(compile_rules(PolicySpec(roles=roles)), WORLD) == ()


def test_a_capability_policy_bound_to_a_role_nobody_has_is_an_error() -> None:
    spec = PolicySpec(capabilities=(CapabilitySpec("tight", ("viewer",), {"denied_paths": ("/etc",)}),))
    world = World(TOOLS, {"ann": "operator"}, None, {"operator": HERE, "viewer": HERE})
    assert "bound to nobody" in refusals(compile_rules(spec), world)[0].what


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        (
            [rule("r1", Verdict.DENY, paths=("/srv",)), rule("r2", Verdict.ALLOW, reads=("/srv/app",))],
            "r2 it never decides: every call it means is denied by r1 (p.yaml:1)",
        ),
        (
            [rule("r1", Verdict.ASK, paths=("/srv/app",)), rule("r2", Verdict.DENY, paths=("/srv",))],
            "r1 it never decides: every call it means is denied by r2 (p.yaml:2)",
        ),
        (
            [rule("r1", Verdict.DENY, commands=("rm",)), rule("r2", Verdict.DENY, commands=("rm -rf",))],
            "r2 it adds nothing: every call it means is already meant by r1 (p.yaml:1)",
        ),
        (
            [rule("r1", Verdict.DENY, tools=("a", "b")), rule("r2", Verdict.ALLOW, tools=("b", "a"))],
            "r2 it contradicts the deny rule r1 (p.yaml:1)",
        ),
        (
            [rule("r1", Verdict.DENY, users=("ann",)), rule("r2", Verdict.DENY, users=("ann",))],
            "r2 it repeats r1 (p.yaml:1)",
        ),
        ([rule("r1", Verdict.DENY, users=("zoe",))], "r1 the user zoe has no role"),
        ([rule("r1", Verdict.DENY, tools=("browser",))], "r1 it names only tools or permissions"),
        ([rule("r1", Verdict.DENY, principals=("zoe",))], "r1 zoe is no role"),
    ],
    ids=["allow-shadowed", "ask-shadowed", "covered", "contradiction", "twice", "no-role", "planned", "stranger"],
)
def test_what_is_odd_is_a_warning_with_its_place(rules: list[Rule], what: str) -> None:
    assert any(line.startswith(f"warning {what}") for line in said(*rules)), said(*rules)
    assert not refusals(rules, WORLD)


def test_a_role_nobody_has_is_a_warning_unless_it_is_a_default() -> None:
    world = World(TOOLS, {}, "operator", {"operator": HERE, "spare": HERE, "viewer": Origin("default")})
    assert said(world=world) == ["warning role:spare nobody has this role"]


def test_a_risk_that_lowers_nothing_and_one_that_undermines_are_warnings() -> None:
    from dataclasses import replace

    inert = replace(rule("r1", Verdict.ALLOW, tools=("file_read",)), risk=Risk.LOW)
    assert said(inert) == ["warning r1 its risk lowers nothing: what it allows never starts above low"]
    lowers = replace(rule("r2", Verdict.ALLOW, tools=("shell_exec",), commands=("df",)), risk=Risk.LOW)
    under = rule("r1", Verdict.ASK, tools=("shell_exec",), commands=("df",), min_risk=Risk.HIGH)
    assert said(under, lowers) == ["warning r1 calls it means start at low by r2 (p.yaml:2), below its min_risk"]
    elsewhere = rule("r1", Verdict.ASK, tools=("shell_exec",), commands=("du",), min_risk=Risk.HIGH)
    assert said(elsewhere, lowers) == []


def test_a_runbook_that_is_not_there_and_a_policy_without_restrictions_are_warnings() -> None:
    from dataclasses import replace

    world = replace(WORLD, skills=frozenset({"log-analysis"}), empty={"loose": HERE})
    assert said(rule("r1", Verdict.DENY, skills=("log-analisys",)), world=world) == [
        "warning r1 there is no runbook log-analisys; did you mean `log-analysis`?",
        "warning capability:loose it restricts nothing: it holds no list and no lower risk",
    ]
    assert said(rule("r1", Verdict.DENY, skills=("any",))) == []
