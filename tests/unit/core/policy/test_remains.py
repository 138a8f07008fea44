from __future__ import annotations

import pytest

from akili_cli.core.policy.compile import CapabilitySpec, PolicySpec, compile_rules
from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.policy.reach import World
from akili_cli.core.policy.remains import denied_anyway, nothing_shared
from akili_cli.domain.decisions import Origin, Verdict

HERE = Origin("p.yaml", 7)
NOTHING = "nothing is left of its list: "
WORLD = World((), {"ann": "operator", "ben": "viewer"}, None, {"operator": HERE, "viewer": HERE})


def allow_list(name: str, *who: str, **lists: tuple[str, ...]) -> Rule:
    return Rule(name, HERE, Verdict.DENY, Match(principals=who, **lists), "why")  # type: ignore[arg-type]


def deny(name: str, verdict: Verdict = Verdict.DENY, **match: object) -> Rule:
    return Rule(name, HERE, verdict, Match(**match), "why")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lists", "other", "said"),
    [
        ({"unless_tools": ("a", "b")}, {"tools": ("a",)}, "a is denied by d"),
        ({"unless_tools": ("a",)}, {"tools": ("a", "c")}, NOTHING + "a is denied by d"),
        ({"unless_paths": ("/srv/a",)}, {"paths": ("/srv",)}, NOTHING + "/srv/a is denied by d"),
        ({"unless_domains": ("a.x.example",)}, {"domains": ("*.example",)}, NOTHING + "a.x.example is denied by d"),
        ({"unless_commands": ("rm -rf",)}, {"commands": ("rm",)}, NOTHING + "rm -rf is denied by d"),
        ({"unless_tools": ("a",)}, {"principals": ("operator", "x"), "tools": ("a",)}, NOTHING + "a is denied by d"),
        ({"unless_tools": ("a",)}, {"principals": ("viewer",), "tools": ("a",)}, None),
        ({"unless_tools": ("a",)}, {"tools": ("a",), "paths": ("/srv",)}, None),
        ({"unless_tools": ("a",)}, {"tools": ("b",)}, None),
        ({"unless_paths": ("/srv",)}, {"paths": ("/srv/a",)}, None),
        ({"unless_paths": ("/srv",)}, {"writes": ("/srv",)}, None),
    ],
    ids=[
        *("tool", "last-tool", "path", "domain", "command", "same-people"),
        *("other-people", "only-there", "other-tool", "a-part-of-it", "only-writing"),
    ],
)
def test_what_is_allowed_and_denied_whole_is_named(
    lists: dict[str, tuple[str, ...]], other: dict[str, object], said: str | None
) -> None:
    rule = allow_list("c", "operator", **lists)
    assert list(denied_anyway(rule, (rule, deny("d", **other)))) == ([] if said is None else [f"{said} (p.yaml:7)"])


def test_an_ask_takes_nothing_away() -> None:
    rule = allow_list("c", "operator", unless_tools=("a",))
    assert list(denied_anyway(rule, (rule, deny("d", Verdict.ASK, tools=("a",))))) == []


@pytest.mark.parametrize(
    ("first", "second", "who"),
    [
        ({"unless_tools": ("a",)}, {"unless_tools": ("b",)}, "ann"),
        ({"unless_paths": ("/srv/a",)}, {"unless_paths": ("/srv/b",)}, "ann"),
        ({"unless_domains": ("a.example",)}, {"unless_domains": ("*.other.example",)}, "ann"),
        ({"unless_commands": ("df",)}, {"unless_commands": ("uptime",)}, "ann"),
        ({"unless_tools": ("a", "b")}, {"unless_tools": ("b",)}, None),
        ({"unless_paths": ("/srv/a",)}, {"unless_paths": ("/srv",)}, None),
        ({"unless_commands": ("systemctl status",)}, {"unless_commands": ("systemctl",)}, None),
        ({"unless_tools": ("a",)}, {"unless_paths": ("/srv",)}, None),
    ],
    ids=["tools", "paths", "domains", "commands", "one-shared", "one-below", "one-narrower", "other-kinds"],
)
def test_lists_that_share_nothing_are_named_with_somebody_they_both_bind(
    first: dict[str, tuple[str, ...]], second: dict[str, tuple[str, ...]], who: str | None
) -> None:
    earlier, rule = allow_list("c", "operator", **first), allow_list("d", "ann", **second)
    found = list(nothing_shared(rule, (earlier,), WORLD))
    want = f"nothing is left for {who}: no entry is also allowed by c (p.yaml:7)"
    assert found == ([] if who is None else [want])


@pytest.mark.parametrize(
    ("one", "other", "who"), [("ben", "operator", None), ("bot", "bot", "bot"), ("ann", "x", None)]
)
def test_lists_for_different_people_do_not_meet(one: str, other: str, who: str | None) -> None:
    earlier, rule = allow_list("c", one, unless_tools=("a",)), allow_list("d", other, unless_tools=("b",))
    found = list(nothing_shared(rule, (earlier,), WORLD))
    assert [who is not None and who in one for one in found] == ([] if who is None else [True])


def test_the_compiled_lists_of_one_capability_policy_are_compared() -> None:
    spec = CapabilitySpec("c", ("operator",), {"allowed_tools": ("a",), "denied_tools": ("a",)})
    rules = compile_rules(PolicySpec(capabilities=(spec,), optional=()))
    (rule,) = (one for one in rules if one.id == "capability:c/allowed_tools")
    assert list(denied_anyway(rule, rules)) == [
        "nothing is left of its list: a is denied by capability:c/denied_tools (built-in)"
    ]
