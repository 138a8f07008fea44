from __future__ import annotations

from dataclasses import replace

import pytest

from akili_cli.core.approvals.grants import Asked, describe_pattern, grantable, offer_for, pattern_of
from akili_cli.core.approvals.model import NO_OFFER
from akili_cli.domain.decisions import BUILT_IN, Decision, RuleHit, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.fakes.actions import command


def asked(effects: Effects, risk: Risk = Risk.HIGH, tool: str = "shell_exec") -> Asked:
    decision = Decision(Verdict.ASK, risk, (RuleHit("ask", BUILT_IN, Verdict.ASK, "it asks"),))
    return Asked("ann", "conv", tool, "d" * 64, effects, decision)


@pytest.mark.parametrize(
    ("effects", "pattern"),
    [
        (Effects(commands=(command("systemctl", "restart", "nginx"),)), {"commands": ["systemctl restart"]}),
        (Effects(commands=(command("kill", "12"),)), {"commands": ["kill"]}),
        (Effects(writes=("/srv/a/x", "/srv/a/y")), {"writes": ["/srv/a"]}),
        (Effects(writes=("/x",)), {"writes": ["/x"]}),
        (Effects(hosts=("a.example:443",)), {"hosts": ["a.example:443"]}),
    ],
    ids=["verb", "no-verb", "directory", "never-the-root", "host"],
)
def test_a_pattern_says_what_it_covers(effects: Effects, pattern: dict[str, list[str]]) -> None:
    found = pattern_of(asked(effects))
    assert not isinstance(found, str)
    assert {kind: values for kind, values in found.items() if values} == pattern


@pytest.mark.parametrize("program", ["sh", "python3", "sudo", "env", "xargs", "find", "git", "awk", "ssh"])
def test_a_program_that_can_run_anything_gets_no_pattern(program: str) -> None:
    assert pattern_of(asked(Effects(commands=(command(program, "x"),)))) == f"{program} can run anything"


def test_nothing_stands_for_critical_or_unknowable_calls() -> None:
    effects = Effects(writes=("/srv/x",))
    assert grantable(asked(effects)) is None
    assert grantable(asked(effects, Risk.CRITICAL)) is not None
    assert grantable(asked(replace(effects, opaque="eval"))) is not None
    assert offer_for(asked(effects, Risk.CRITICAL)) == NO_OFFER


def test_an_offer_prints_the_pattern() -> None:
    offer = offer_for(asked(Effects(writes=("/srv/a/x",)), tool="file_write"))
    assert offer.pattern == describe_pattern("file_write", {"writes": ["/srv/a"]}) == "file_write: writes /srv/a"
