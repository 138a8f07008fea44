"""Calls and cases from files, put to a judge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

from akili_cli.bootstrap.rulings import Asked, Judge
from akili_cli.config.cases import Call, Case, Placed, parse_cases
from akili_cli.domain.calls import Source
from akili_cli.domain.decisions import Decision
from akili_cli.domain.errors import InvalidArgumentsError

EVERYDAY = "everyday_calls.yaml"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of a case: ``differences`` in words, none when it is as it says."""

    placed: Placed
    decision: Decision | None
    differences: tuple[str, ...]


def asked_of(call: Call, default_user: str) -> Asked:
    """Give the call to ask about; ``default_user`` makes it when nobody is named."""
    return Asked(
        tool=call.tool,
        arguments=call.arguments,
        user=call.user or default_user,
        agent=call.agent,
        source=Source(call.source),
        untrusted=call.untrusted,
        read_only=call.read_only,
        autonomous=call.autonomous,
        at=None if call.at is None else datetime.fromisoformat(call.at).timestamp(),
    )


def check_case(placed: Placed, judge: Judge, default_user: str) -> CaseResult:
    """Decide a case and compare."""
    case = placed.call
    assert isinstance(case, Case)
    try:
        decision = judge.decide(asked_of(case, default_user))
    except InvalidArgumentsError as error:
        return CaseResult(placed, None, (f"is no valid call: {error}",))
    expected = (
        ("verdict", case.verdict, str(decision.verdict)),
        ("rule", case.rule, decision.ruling.rule_id),
        ("risk", case.risk, str(decision.risk)),
    )
    differences = tuple(
        f"{name} is {given}, not {wanted}" for name, wanted, given in expected if wanted is not None and wanted != given
    )
    return CaseResult(placed, decision, differences)


@cache
def everyday_calls() -> tuple[Placed, ...]:
    """Give the calls that ship with akili: what operators ask for on an ordinary day."""
    text = files("akili_cli.bootstrap").joinpath(EVERYDAY).read_text(encoding="utf-8")
    return parse_cases(text, EVERYDAY, judged=False)
