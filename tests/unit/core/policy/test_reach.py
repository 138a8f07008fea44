from __future__ import annotations

import pytest

from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.policy.reach import ToolReach, World, fitting, only_planned, why_never
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.risk import Risk

HERE = Origin("p.yaml", 1)
SHELL = ToolReach("shell_exec", "shell_exec", Risk.HIGH, frozenset({"reads", "writes", "commands"}), opaque=True)
READ = ToolReach("file_read", "read_files", Risk.LOW, frozenset({"reads"}))
FETCH = ToolReach("web_fetch", "web_search", Risk.LOW, frozenset({"hosts"}))
WORLD = World(
    tools=(SHELL, READ, FETCH),
    user_roles={"ann": "operator"},
    default_role=None,
    roles={"operator": HERE, "viewer": HERE},
)


def rule(verdict: Verdict = Verdict.DENY, **match: object) -> Rule:
    return Rule("r", HERE, verdict, Match(**match), "why")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (rule(roles=("viewer",)), "nobody has the role viewer"),
        (rule(users=("ann",), roles=("viewer", "operator")), None),
        (rule(users=("bob",), roles=("operator",)), "none of its users"),
        (rule(principals=("viewer",)), "bound to nobody"),
        (rule(principals=("viewer", "ann")), None),
        (rule(principals=("night-agent",)), None),
        (rule(min_risk=Risk.HIGH, max_risk=Risk.LOW), "min_risk is above"),
        (rule(unless_paths=("/",)), "every path"),
        (rule(tools=("file_read",), unless_tools=("file_read",)), "leaves out"),
        (rule(tools=("file_read",), permissions=("shell_exec",)), "no tool fits"),
        (rule(tools=("file_read",), writes=("/etc",)), "never does what it names"),
        (rule(tools=("file_read",), commands=("rm",)), "never does what it names"),
        (rule(tools=("shell_exec",), domains=("a.example",)), None),
        (rule(Verdict.ALLOW, tools=("shell_exec",), domains=("a.example",)), "never does what it names"),
        (rule(tools=("file_read",), min_risk=Risk.MEDIUM), "never has that risk"),
        (rule(tools=("web_fetch",), min_risk=Risk.MEDIUM), None),
        (rule(tools=("web_fetch",), min_risk=Risk.HIGH), "never has that risk"),
        (rule(tools=("shell_exec",), min_risk=Risk.CRITICAL), None),
        (rule(), None),
    ],
)
def test_a_rule_that_can_never_match_is_told_why(one: Rule, why: str | None) -> None:
    said = why_never(one, WORLD)
    assert said is None if why is None else why in (said or "")


def test_a_low_risk_is_in_reach_only_when_a_rule_lowers_to_it() -> None:
    low = rule(tools=("shell_exec",), max_risk=Risk.LOW)
    assert why_never(low, WORLD, Risk.LOW) is None
    assert "never has that risk" in (why_never(low, WORLD, Risk.HIGH) or "")


def test_only_tools_that_are_known_to_do_it_fit() -> None:
    assert [tool.name for tool in fitting(rule(reads=("/etc",)), WORLD)] == ["shell_exec", "file_read"]
    assert fitting(rule(domains=("a.example",)), WORLD) == (FETCH,)


def test_tools_of_a_later_version_are_planned_and_not_impossible() -> None:
    assert only_planned(Match(tools=("browser",)), WORLD)
    assert only_planned(Match(permissions=("infra_exec",)), WORLD)
    assert not only_planned(Match(tools=("browser", "file_read")), WORLD)


def test_what_cannot_be_undone_and_outside_text_raise_what_a_tool_may_count_as() -> None:
    assert (READ.highest, READ.highest_alone) == (Risk.LOW, Risk.LOW)
    assert (FETCH.highest, FETCH.highest_alone) == (Risk.MEDIUM, Risk.LOW)
    assert (SHELL.highest, SHELL.highest_alone) == (Risk.CRITICAL, Risk.HIGH)
