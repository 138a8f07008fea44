from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.core.policy.engine import RuleSet, decide
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.decisions import BUILT_IN, Origin, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.risk import Risk
from tests.fakes.actions import action, command, run_of

VERDICTS = st.sampled_from(list(Verdict))
MATCHES = st.sampled_from(
    [
        Match(),
        Match(tools=("shell_exec",)),
        Match(commands=("ls",)),
        Match(paths=("/srv",)),
        Match(users=("bob",)),
        Match(min_risk=Risk.HIGH),
        Match(effects=("writes",)),
    ]
)
RULES = st.lists(st.tuples(VERDICTS, MATCHES), max_size=6)
ACTIONS = st.sampled_from(
    [
        action(),
        action(effects=Effects(commands=(command("ls", "/srv"),), reads=("/srv",))),
        action(effects=Effects(writes=("/srv/x",), reversible=False)),
        action(effects=Effects(opaque="eval")),
        action("file_read", effects=Effects(reads=("/srv/x",)), risk=Risk.LOW),
        action(run=run_of(untrusted=("stdin",))),
    ]
)
ORDER = [Verdict.ALLOW, Verdict.ASK, Verdict.DENY]


def rule(name: str, verdict: Verdict, match: Match = Match(), **more: object) -> Rule:
    return Rule(name, Origin("test.yaml", 1), verdict, match, f"because of {name}", **more)  # type: ignore[arg-type]


def build(pairs: list[tuple[Verdict, Match]]) -> RuleSet:
    return RuleSet(rule(f"r{i}", verdict, match) for i, (verdict, match) in enumerate(pairs))


def test_nothing_allowed_is_denied() -> None:
    decision = decide(action(), RuleSet(()))
    assert decision.verdict is Verdict.DENY
    assert decision.ruling.rule_id == "default-deny"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((Verdict.ALLOW,), Verdict.ALLOW),
        ((Verdict.ALLOW, Verdict.ASK), Verdict.ASK),
        ((Verdict.ALLOW, Verdict.ASK, Verdict.DENY), Verdict.DENY),
    ],
)
def test_deny_beats_ask_beats_allow(verdicts: tuple[Verdict, ...], expected: Verdict) -> None:
    decision = decide(action(), build([(verdict, Match()) for verdict in verdicts]))
    assert decision.verdict is expected
    assert len(decision.hits) == len(verdicts)


@given(RULES, ACTIONS)
def test_a_matching_deny_always_wins(pairs: list[tuple[Verdict, Match]], what: object) -> None:
    decision = decide(what, build([*pairs, (Verdict.DENY, Match())]))  # type: ignore[arg-type]
    assert decision.verdict is Verdict.DENY


@given(RULES, MATCHES, ACTIONS)
def test_adding_a_deny_never_widens(pairs: list[tuple[Verdict, Match]], match: Match, what: object) -> None:
    before = decide(what, build(pairs))  # type: ignore[arg-type]
    after = decide(what, build([*pairs, (Verdict.DENY, match)]))  # type: ignore[arg-type]
    assert ORDER.index(after.verdict) >= ORDER.index(before.verdict)


@given(RULES)
def test_an_opaque_call_never_runs_by_itself(pairs: list[tuple[Verdict, Match]]) -> None:
    assert decide(action(effects=Effects(opaque="eval")), build(pairs)).verdict is not Verdict.ALLOW


def test_an_allow_rule_may_lower_the_risk_it_starts_from() -> None:
    rules = RuleSet(
        [
            rule("look", Verdict.ALLOW, Match(commands=("ls",)), risk=Risk.LOW),
            rule("cap", Verdict.ASK, Match(min_risk=Risk.MEDIUM)),
        ]
    )
    looking = action(effects=Effects(commands=(command("ls"),)))
    assert decide(looking, rules).verdict is Verdict.ALLOW
    assert decide(action(effects=Effects(commands=(command("id"),))), rules).verdict is Verdict.ASK


@pytest.mark.parametrize(
    ("what", "risk"),
    [
        (action(risk=Risk.LOW), Risk.LOW),
        (action(risk=Risk.LOW, effects=Effects(deletes=("/x",), reversible=False)), Risk.HIGH),
        (action(risk=Risk.LOW, effects=Effects(opaque="eval")), Risk.HIGH),
        (action(risk=Risk.MEDIUM, effects=Effects(writes=("/x",)), run=run_of(untrusted=("web a",))), Risk.HIGH),
        (action(risk=Risk.HIGH, effects=Effects(hosts=("a:80",)), run=run_of(untrusted=("f",))), Risk.CRITICAL),
        (action(risk=Risk.LOW, effects=Effects(reads=("/x",)), read_only=True, run=run_of(untrusted=("f",))), Risk.LOW),
        (action(risk=Risk.LOW, run=run_of(untrusted=("f",))), Risk.MEDIUM),
    ],
    ids=[
        *("plain", "irreversible", "opaque", "untrusted-write", "untrusted-egress", "untrusted-read"),
        "untrusted-own-state",
    ],
)
def test_effects_and_untrusted_text_raise_the_risk(what: object, risk: Risk) -> None:
    assert decide(what, RuleSet(())).risk is risk  # type: ignore[arg-type]


def test_over_ask_silences_asks_but_allows_nothing_itself() -> None:
    quiet = rule("quiet", Verdict.ALLOW, over_ask=True)
    assert decide(action(), RuleSet([quiet, rule("ask", Verdict.ASK)])).verdict is Verdict.ASK
    assert decide(action(), RuleSet([quiet])).verdict is Verdict.DENY
    allowed = RuleSet([quiet, rule("ask", Verdict.ASK), rule("ok", Verdict.ALLOW)])
    assert decide(action(), allowed).verdict is Verdict.ALLOW
    denied = RuleSet([quiet, rule("ok", Verdict.ALLOW), rule("no", Verdict.DENY)])
    assert decide(action(), denied).verdict is Verdict.DENY


def test_one_id_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice: a"):
        RuleSet([rule("a", Verdict.DENY), rule("a", Verdict.ALLOW)])


def test_the_digest_follows_every_rule() -> None:
    one = RuleSet([rule("a", Verdict.DENY)])
    assert one.digest == RuleSet([rule("a", Verdict.DENY)]).digest
    assert one.digest != RuleSet([rule("a", Verdict.ASK)]).digest


def test_a_decision_names_every_rule_with_its_place() -> None:
    decision = decide(action(), RuleSet([rule("no", Verdict.DENY), rule("yes", Verdict.ALLOW)]))
    assert [(hit.rule_id, str(hit.origin)) for hit in decision.hits] == [("no", "test.yaml:1"), ("yes", "test.yaml:1")]
    assert str(BUILT_IN) == "built-in"
