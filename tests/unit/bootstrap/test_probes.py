from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.bootstrap.probes import (
    _MAKERS,
    Places,
    Probe,
    candidates,
    find_probes,
    idle,
    needs_every_tool,
    probes_of,
    urls,
)
from akili_cli.bootstrap.rehearsal import KINDS
from akili_cli.bootstrap.rulings import Asked, Judge
from akili_cli.core.policy.engine import spoken
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.decisions import Origin, Verdict
from akili_cli.domain.errors import InvalidArgumentsError
from tests.fakes.policies import BASE, NOON, judge_from

POLICY = (
    BASE
    + """\
policies:
  rules:
    - {id: writes, match: {writes: [/srv/app]}, verdict: deny, because: x}
    - {id: pushes, match: {commands: [git push]}, verdict: deny, because: x}
    - {id: hosts, match: {domains: ["*.b.example"]}, verdict: ask, because: x}
    - {id: vic, match: {users: [vic], reads: [/srv/hr]}, verdict: deny, because: x}
    - {id: night, match: {tools: [shell_exec], hours: {days: [sun], from: "03:00", to: "04:00", timezone: UTC}},
       verdict: deny, because: x}
"""
)


def found(judge: Judge, rule_id: str) -> dict[str, Probe | None]:
    rule = next(one for one in judge.rules.rules if one.id == rule_id)
    places = Places(None, "/srv")
    return dict(find_probes(rule, judge, candidates(rule, judge.world, places, NOON)))


@pytest.mark.parametrize(
    ("rule_id", "tools"),
    [
        ("writes", {"shell_exec", "file_write", "file_restore"}),
        ("pushes", {"shell_exec"}),
        ("hosts", {"shell_exec", "web_fetch"}),
        ("vic", {"shell_exec", "file_read"}),
        ("night", {"shell_exec"}),
        ("protected-roots", {"shell_exec", "file_read", "file_write", "file_restore"}),
        ("process-secrets", {"shell_exec", "file_read"}),
        ("read-only-mode", {"shell_exec", "file_write", "file_restore"}),
        ("diagnostics", {"shell_exec"}),
        ("critical-always-asks", {"shell_exec"}),
        ("role:viewer/not-permitted", {"shell_exec", "file_write", "web_fetch", "file_restore"}),
        ("tools.web.allowed_domains", {"web_fetch"}),
    ],
)
def test_a_rule_is_shown_through_every_tool_that_could_do_it(tmp_path: Path, rule_id: str, tools: set[str]) -> None:
    probes = found(judge_from(tmp_path, POLICY), rule_id)
    assert {tool for tool, probe in probes.items() if probe is not None} >= tools


def test_a_probe_is_a_call_to_which_its_rule_speaks(tmp_path: Path) -> None:
    judge = judge_from(tmp_path, POLICY)
    for rule in judge.rules.rules:
        for probe in found(judge, rule.id).values():
            assert probe is None or rule.id in [one.id for one in spoken(judge.action(probe.asked), judge.rules)]


def test_a_call_that_cannot_be_known_shows_nothing(tmp_path: Path) -> None:
    judge = judge_from(tmp_path, POLICY)
    rule = next(one for one in judge.rules.rules if one.id == "writes")
    opaque = Asked(tool="shell_exec", arguments={"command": 'eval "$X"'}, user="ann")
    assert find_probes(rule, judge, [opaque]) == {"shell_exec": None}


def test_a_call_that_is_none_counts_for_no_tool(tmp_path: Path) -> None:
    judge = judge_from(tmp_path, POLICY)
    assert find_probes(judge.rules.rules[0], judge, [Asked(tool="file_read")]) == {}
    with pytest.raises(InvalidArgumentsError):
        judge.action(Asked(tool="file_read"))


def test_the_best_probe_is_one_the_rule_alone_decides(tmp_path: Path) -> None:
    probe = found(judge_from(tmp_path, POLICY), "pushes")["shell_exec"]
    assert probe is not None
    assert (probe.alone, probe.decides, probe.clear) == (True, True, True)


def test_a_rule_with_hours_is_asked_about_then(tmp_path: Path) -> None:
    probe = found(judge_from(tmp_path, POLICY), "night")["shell_exec"]
    assert probe is not None
    assert probe.asked.at is not None
    assert NOON < probe.asked.at < NOON + 7 * 86_400


@pytest.mark.parametrize(
    ("rule_id", "match", "why"),
    [
        ("autonomous", Match(roles=("",)), "no role has the permission"),
        ("x", Match(roles=("boss",)), "nobody has the role"),
        ("x", Match(tools=("browser",)), "no tool of this version"),
        ("x", Match(permissions=("infra_exec",)), "no tool of this version"),
        ("x", Match(unless_paths=("/",)), "every path"),
        ("x", Match(roles=("operator",)), None),
    ],
)
def test_what_has_nothing_to_say_is_told_why(tmp_path: Path, rule_id: str, match: Match, why: str | None) -> None:
    rule = Rule(rule_id, Origin("p.yaml", 1), Verdict.DENY, match, "x")
    said = idle(rule, judge_from(tmp_path).world)
    assert said is None if why is None else why in (said or "")


def test_rules_on_effects_need_every_tool_and_rules_on_risk_one() -> None:
    def rule(**match: object) -> Rule:
        return Rule("x", Origin("p", 1), Verdict.DENY, Match(**match), "x")  # type: ignore[arg-type]

    assert needs_every_tool(rule(writes=("/x",)))
    assert needs_every_tool(rule(unless_paths=()))
    assert not needs_every_tool(rule(users=("ann",)))


def test_there_is_a_way_to_ask_for_each_tool() -> None:
    assert set(_MAKERS) == set(KINDS)


def test_each_rule_gives_calls_to_compare(tmp_path: Path) -> None:
    judge = judge_from(tmp_path, POLICY)
    commands = [asked.arguments.get("command") for asked in probes_of(judge, Places(None, "/srv"))]
    assert any("git push" in str(command) for command in commands)


@pytest.mark.parametrize(
    ("match", "first"),
    [
        (Match(domains=("*.b.example",)), "https://akili-probe.b.example/"),
        (Match(domains=("b.example:8443",)), "https://b.example:8443/"),
        (Match(domains=("b.example:80",)), "http://b.example/"),
        (Match(domains=("::1",)), "https://[::1]/"),
        (Match(unless_domains=("akili-probe.example",)), "https://127.0.0.1/"),
    ],
)
def test_urls_name_the_hosts_of_a_rule(match: Match, first: str) -> None:
    assert urls(match)[0] == first
