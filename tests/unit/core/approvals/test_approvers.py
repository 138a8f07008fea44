from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.core.approvals.approvers import LOCAL_SOURCES, Approvers, Power, no_power
from akili_cli.core.approvals.model import ApprovalStatus
from akili_cli.core.approvals.queue import ApprovalQueue
from akili_cli.core.approvals.request import Held, Request
from akili_cli.core.approvals.settings import ApprovalSettings
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.decisions import Decision, Origin, RuleHit, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import ConflictError, PolicyDeniedError
from akili_cli.domain.risk import Risk
from tests.fakes.clock import FakeClock
from tests.fakes.wiring import call_of, queue_on, run_by
from tests.unit.cli.test_card import APPROVAL

POWERS = {
    "ann": Power("admin", Risk.CRITICAL, admin=True),
    "lee": Power("lead", Risk.HIGH),
    "opa": Power("operator", Risk.MEDIUM),
    "vic": Power("viewer"),
    "aud": Power("auditor", admin=True),
}
ELSEWHERE = [source for source in Source if source not in LOCAL_SOURCES]


def power_of(by: Principal) -> Power:
    return POWERS.get(by.user, Power())


def approvers(**settings: object) -> Approvers:
    return Approvers(ApprovalSettings.model_validate(settings), power_of)


@pytest.mark.parametrize("risk", ["high", "critical"])
def test_who_asked_from_elsewhere_may_not_say_yes_to_what_is_grave(risk: str) -> None:
    asked = replace(APPROVAL, risk=risk, source=Source.HTTP, user="ann")
    for source in Source:
        with pytest.raises(PolicyDeniedError, match="four_eyes"):
            approvers().check(asked, Principal("ann", source))
        approvers(four_eyes=False).check(asked, Principal("ann", source))
        approvers().check(replace(asked, user="kim"), Principal("ann", source))


@pytest.mark.parametrize("risk", ["low", "medium"])
def test_who_asked_may_say_yes_to_the_rest_with_the_permission(risk: str) -> None:
    approvers().check(replace(APPROVAL, risk=risk, source=Source.HTTP, user="opa"), Principal("opa", Source.HTTP))


def test_who_asked_at_the_terminal_may_say_yes_there() -> None:
    approvers().check(replace(APPROVAL, source=Source.CLI), Principal("kim", Source.REPL))
    with pytest.raises(PolicyDeniedError):
        approvers().check(replace(APPROVAL, source=Source.CLI), Principal("kim", Source.HTTP))


@pytest.mark.parametrize("source", ELSEWHERE, ids=str)
@pytest.mark.parametrize("user", ["vic", "aud", "nobody"])
def test_without_the_permission_nobody_rules_from_elsewhere(source: Source, user: str) -> None:
    asked = replace(APPROVAL, risk="low", user="kim")
    with pytest.raises(PolicyDeniedError, match=r"approval\.permission"):
        approvers().check(asked, Principal(user, source))
    with pytest.raises(PolicyDeniedError, match=r"approval\.permission"):
        approvers().check_denial(asked, Principal(user, source))


@pytest.mark.parametrize("source", ELSEWHERE, ids=str)
def test_nobody_rules_from_elsewhere_above_the_risk_of_their_role(source: Source) -> None:
    reach = {"opa": ["low", "medium"], "lee": ["low", "medium", "high"], "ann": ["low", "medium", "high", "critical"]}
    for user, risks in reach.items():
        for risk in ("low", "medium", "high", "critical"):
            asked, by = replace(APPROVAL, risk=risk, user="kim"), Principal(user, source)
            if risk in risks:
                approvers().check(asked, by)
                approvers().check_denial(asked, by)
                continue
            with pytest.raises(PolicyDeniedError, match=r"approval\.max_risk_level"):
                approvers().check(asked, by)
            with pytest.raises(PolicyDeniedError, match=r"approval\.max_risk_level"):
                approvers().check_denial(asked, by)


def test_at_the_terminal_no_permission_is_asked_for() -> None:
    for source in LOCAL_SOURCES:
        Approvers(ApprovalSettings.model_validate({}), no_power).check(
            replace(APPROVAL, risk="critical"), Principal("vic", source)
        )


def test_who_asked_may_always_say_no() -> None:
    approvers().check_denial(replace(APPROVAL, risk="critical", user="vic"), Principal("vic", Source.HTTP))


def test_a_request_is_shown_to_who_asked_to_whoever_may_rule_and_to_admins() -> None:
    asked = replace(APPROVAL, risk="high", user="kim")
    seen = {user: approvers().may_see(asked, Principal(user, Source.HTTP)) for user in ("kim", *POWERS, "nobody")}
    assert seen == {"kim": True, "ann": True, "lee": True, "opa": False, "vic": False, "aud": True, "nobody": False}
    assert approvers().may_see(asked, Principal("nobody", Source.CLI))


@pytest.mark.parametrize("user", [*POWERS, "nobody"])
def test_the_risks_that_are_listed_are_those_that_are_shown(user: str) -> None:
    by = Principal(user, Source.HTTP)
    shown = [str(risk) for risk in Risk if approvers().may_see(replace(APPROVAL, risk=str(risk), user="kim"), by)]
    assert list(approvers().seen_risks(by)) == shown


def test_only_critical_calls_need_a_quorum() -> None:
    needed = [approvers(critical_quorum=3).needed(replace(APPROVAL, risk=r)) for r in ("low", "high", "critical")]
    assert needed == [1, 1, 3]


async def held(queue: ApprovalQueue, risk: Risk, user: str = "kim", call_id: str = "call-1") -> str:
    hit = RuleHit("the-rule", Origin("a.yaml", 7), Verdict.ASK, "it says so")
    decision = Decision(Verdict.ASK, risk, (hit,))
    request = Request(call_of(id=call_id), run_by(user, source=Source.HTTP), Effects(), decision, "d" * 64)
    settled = await queue.settle(request)
    assert isinstance(settled, Held)
    return settled.approval.id


async def test_the_store_refuses_too_and_nothing_is_ruled(tmp_path: Path) -> None:
    db = await open_sqlite(tmp_path / "akili.db")
    queue = queue_on(db, FakeClock(), power_of=power_of)
    approval = await held(queue, Risk.HIGH)
    for user in ("vic", "opa", "kim"):
        with pytest.raises(PolicyDeniedError, match="rule approval"):
            await queue.approve(approval, Principal(user, Source.HTTP))
    for user in ("vic", "opa"):
        with pytest.raises(PolicyDeniedError, match="rule approval"):
            await queue.deny(approval, Principal(user, Source.HTTP))
    assert (await queue.get(approval)).status is ApprovalStatus.PENDING
    assert (await queue.approve(approval, Principal("lee", Source.HTTP))).status is ApprovalStatus.APPROVED
    with pytest.raises(ConflictError, match="already approved by lee"):
        await queue.deny(approval, Principal("ann", Source.CLI))
    await db.close()


async def test_the_list_holds_what_is_shown_newest_first_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    db, clock = await open_sqlite(tmp_path / "akili.db"), FakeClock()
    queue = queue_on(db, clock, power_of=power_of)
    low, high = await held(queue, Risk.LOW), await held(queue, Risk.HIGH)
    clock.move(1)
    own = await held(queue, Risk.HIGH, user="vic")
    for user, expected in (("ann", {low, high, own}), ("opa", {low}), ("vic", {own}), ("nobody", set())):
        found = await queue.seen_by(Principal(user, Source.HTTP), ApprovalStatus.PENDING, limit=10)
        assert {one.id for one in found} == expected, user
    first, *_ = page = await queue.seen_by(Principal("ann", Source.HTTP), limit=2)
    assert first.id == own
    rest = await queue.seen_by(Principal("ann", Source.HTTP), before=(page[-1].created_at, page[-1].id), limit=2)
    assert {one.id for one in (*page, *rest)} == {low, high, own}
    await db.close()
