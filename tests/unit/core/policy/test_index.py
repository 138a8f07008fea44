from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.core.policy.index import RuleIndex, program_names
from akili_cli.core.policy.match import compile_match
from akili_cli.core.policy.model import Action, Match, Rule
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.risk import Risk
from tests.fakes.actions import action, run_of

PATHS = st.sampled_from(["/", "/srv", "/srv/a", "/srv/a/b", "/srvx", "/etc/passwd", "/srv/"])
HOSTS = st.sampled_from(
    ["a.example", "b.a.example:443", "*.example", "*.a.example:443", "A.Example.", "unix:/run/x", "[::1]:80", "!!"]
)
PROGRAMS = st.sampled_from(['r""m', "'/bin/rm' -r", "rm", "rm -rf", "/bin/rm", "'rm'", "git push", "ls"])
NAMES = st.sampled_from(["ann", "bob"])
MATCHES = st.builds(
    Match,
    tools=st.lists(st.sampled_from(["shell_exec", "file_read"]), max_size=1).map(tuple),
    users=st.lists(NAMES, max_size=1).map(tuple),
    agents=st.lists(NAMES, max_size=1).map(tuple),
    paths=st.lists(PATHS, max_size=2).map(tuple),
    writes=st.lists(PATHS, max_size=1).map(tuple),
    commands=st.lists(PROGRAMS, max_size=2).map(tuple),
    domains=st.lists(HOSTS, max_size=2).map(tuple),
    min_risk=st.sampled_from([None, Risk.HIGH]),
    unless_paths=st.sampled_from([None, (), ("/srv",)]),
)
COMMANDS = st.builds(
    Command,
    st.sampled_from(["rm", "ls", "git"]),
    st.sampled_from([("rm", "-rf", "x"), ("/tmp/ls",), ("git", "-C", "/r", "push"), ("/bin/rm", "x")]),
    st.sampled_from([None, "/bin/rm", "/usr/bin/git", "/tmp/ls"]),
)
EFFECTS = st.builds(
    Effects,
    reads=st.lists(PATHS, max_size=2).map(tuple),
    writes=st.lists(PATHS, max_size=1).map(tuple),
    commands=st.lists(COMMANDS, max_size=2).map(tuple),
    hosts=st.lists(HOSTS, max_size=2).map(tuple),
    opaque=st.sampled_from([None, None, None, "eval"]),
)
ACTIONS = st.builds(
    lambda effects, user, agent: action(effects=effects, run=run_of(user, agent=agent)),
    EFFECTS,
    NAMES,
    st.sampled_from([None, "ann", "bob"]),
)


@given(st.lists(st.tuples(MATCHES, st.sampled_from(list(Verdict))), max_size=8), ACTIONS)
def test_the_index_never_loses_a_rule(pairs: list[tuple[Match, Verdict]], what: Action) -> None:
    rules = [Rule(f"r{i}", BUILT_IN, verdict, match, "x") for i, (match, verdict) in enumerate(pairs)]
    compiled = [(rule, compile_match(rule.match, rule.verdict)) for rule in rules]
    scanned = [rule.id for rule, tests in compiled if all(test(what) for test in tests)]
    found = [rule.id for rule, tests in RuleIndex(compiled).candidates(what) if all(test(what) for test in tests)]
    assert found == scanned


def test_the_index_passes_over_what_cannot_match() -> None:
    rules = [Rule(f"r{i}", BUILT_IN, Verdict.DENY, Match(paths=(f"/srv/{i}",)), "x") for i in range(100)]
    compiled = [(rule, compile_match(rule.match, rule.verdict)) for rule in rules]
    found = list(RuleIndex(compiled).candidates(action(effects=Effects(reads=("/srv/7/log",)))))
    assert [rule.id for rule, _tests in found] == ["r7"]


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (Command("rm", ("rm",), "/usr/bin/rm"), {"rm"}),
        (Command("ls", ("/tmp/ls",), "/usr/bin/rm"), {"ls", "rm"}),
        (Command("x", ("./y",)), {"x", "y"}),
    ],
)
def test_a_command_goes_by_every_name_it_has(command: Command, names: set[str]) -> None:
    assert program_names(command) == names
