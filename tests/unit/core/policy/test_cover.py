from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.core.policy.cover import command_covers, covers, domain_covers
from akili_cli.core.policy.hours import DAYS, Hours
from akili_cli.core.policy.match import compile_match
from akili_cli.core.policy.model import Action, Match
from akili_cli.domain.decisions import Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.fakes.actions import action, command, run_of

NIGHT = Hours(DAYS, 0, 60, "UTC")


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        (Match(), Match(tools=("a",)), True),
        (Match(tools=("a",)), Match(), False),
        (Match(tools=("a", "b")), Match(tools=("a",)), True),
        (Match(tools=("a",)), Match(tools=("a", "b")), False),
        (Match(paths=("/srv",)), Match(paths=("/srv/app",)), True),
        (Match(paths=("/srv",)), Match(writes=("/srv/app",)), True),
        (Match(paths=("/srv",)), Match(paths=("/srvx",)), False),
        (Match(writes=("/srv",)), Match(paths=("/srv/app",)), False),
        (Match(commands=("rm",)), Match(commands=("rm -rf",)), True),
        (Match(commands=("rm -rf",)), Match(commands=("rm",)), False),
        (Match(domains=("*.a.example",)), Match(domains=("b.a.example",)), True),
        (Match(min_risk=Risk.MEDIUM), Match(min_risk=Risk.HIGH), True),
        (Match(min_risk=Risk.HIGH), Match(), False),
        (Match(max_risk=Risk.HIGH), Match(max_risk=Risk.LOW), True),
        (Match(effects=("writes",)), Match(writes=("/x",)), True),
        (Match(effects=("writes",)), Match(effects=("writes", "reads")), False),
        (Match(hours=NIGHT), Match(hours=NIGHT), True),
        (Match(hours=NIGHT), Match(), False),
        (Match(), Match(hours=NIGHT), True),
        (Match(unless_tools=("a",)), Match(unless_tools=("a", "b")), True),
        (Match(unless_tools=("a", "b")), Match(unless_tools=("a",)), False),
        (Match(condition=lambda _: True), Match(), False),
    ],
)
def test_one_match_covers_another(wide: Match, narrow: Match, covered: bool) -> None:
    assert covers(wide, narrow) is covered


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("git push", "git push --force", True),
        ("git push --force", "git push", False),
        ("git", "/usr/bin/git push", True),
        ("/usr/bin/git", "git push", False),
        ("rm -rf", "rm -f -r", True),
    ],
)
def test_a_command_pattern_covers_another(wide: str, narrow: str, covered: bool) -> None:
    assert command_covers(wide, narrow) is covered


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("a.example", "A.example.", True),
        ("*.example", "*.a.example", True),
        ("*.a.example", "a.example", False),
        ("a.example", "*.a.example", False),
        ("a.example:443", "a.example", False),
        ("a.example", "a.example:443", True),
        ("unix:/run/a", "unix:/run/a", True),
        ("unix:/run/a", "unix:/run/b", False),
    ],
)
def test_a_host_pattern_covers_another(wide: str, narrow: str, covered: bool) -> None:
    assert domain_covers(wide, narrow) is covered


MATCHES = st.builds(
    Match,
    tools=st.sampled_from([(), ("shell_exec",), ("shell_exec", "file_read")]),
    users=st.sampled_from([(), ("ann",), ("ann", "bob")]),
    paths=st.sampled_from([(), ("/srv",), ("/srv/app",)]),
    writes=st.sampled_from([(), ("/srv",), ("/srv/app", "/etc")]),
    commands=st.sampled_from([(), ("rm",), ("rm -r",), ("rm -r", "git push")]),
    domains=st.sampled_from([(), ("*.example",), ("a.example",), ("a.example:443",)]),
    effects=st.sampled_from([(), ("writes",), ("writes", "hosts")]),
    min_risk=st.sampled_from([None, Risk.MEDIUM, Risk.CRITICAL]),
    max_risk=st.sampled_from([None, Risk.HIGH]),
    unless_paths=st.sampled_from([None, ("/srv",), ("/srv", "/etc")]),
)
ACTIONS = st.builds(
    action,
    tool=st.sampled_from(["shell_exec", "file_read"]),
    effects=st.builds(
        Effects,
        writes=st.sampled_from([(), ("/srv/app/x",), ("/etc/x", "/srv/y")]),
        commands=st.sampled_from([(), (command("rm", "-r", "x"),), (command("git", "push"), command("rm", "x"))]),
        hosts=st.sampled_from([(), ("a.example:443",), ("b.example:80",)]),
        opaque=st.sampled_from([None, "eval"]),
    ),
    risk=st.sampled_from(list(Risk)),
    run=st.sampled_from([run_of("ann"), run_of("bob")]),
)


@given(MATCHES, MATCHES, st.sampled_from(list(Verdict)), ACTIONS)
def test_what_is_covered_never_matches_without_what_covers_it(
    wide: Match, narrow: Match, verdict: Verdict, what: Action
) -> None:
    if covers(wide, narrow) and all(test(what) for test in compile_match(narrow, verdict)):
        assert all(test(what) for test in compile_match(wide, Verdict.DENY))
