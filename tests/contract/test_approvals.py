from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.core.approvals import store
from akili_cli.core.approvals.model import Approval, ApprovalStatus
from akili_cli.core.approvals.request import Held, Refused, Request
from akili_cli.domain.calls import Principal, Run, Source, ToolCall, call_digest
from akili_cli.domain.decisions import Decision, Origin, Permit, RuleHit, Verdict
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.errors import ConflictError, ExpiredError, NotFoundError, PolicyDeniedError
from akili_cli.domain.risk import Risk
from tests.contract.places import AnyDatabase, Place
from tests.fakes.clock import FakeClock
from tests.fakes.wiring import call_of, queue_on, run_by

BEN = Principal("ben", Source.HTTP)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def request_for(
    call: ToolCall | None = None,
    run: Run | None = None,
    *,
    verdict: Verdict = Verdict.ASK,
    risk: Risk = Risk.MEDIUM,
    reason: str = "",
    effects: Effects = Effects(),
) -> Request:
    call, run = call or call_of(), run or run_by()
    decision = Decision(verdict, risk, (RuleHit("the-rule", Origin("a.yaml", 7), verdict, "it says so"),), ("grave",))
    digest = call_digest(run.principal, call.name, call.arguments)
    return Request(call, run, effects, decision, digest, reason)


async def hold(db: AnyDatabase, clock: FakeClock, request: Request | None = None, **settings: object) -> Approval:
    held = await queue_on(db, clock, **settings).settle(request or request_for())
    assert isinstance(held, Held)
    return held.approval


async def test_a_held_call_is_stored_whole_and_read_back_equal(db: AnyDatabase, clock: FakeClock) -> None:
    effects = Effects(
        reads=("/srv/\u00fc",), commands=(Command("rm", ("rm", "-rf", "/x")),), hosts=("h:1",), reversible=False
    )
    call = ToolCall("call-9", "shell_exec", {"command": "rm -rf '/x'\n\u202e", "n": [1, {"a": None}], "t": True})
    run = run_by("ann", source=Source.CHAT, agent="bot", conversation_id="conv", untrusted=("stdin", "file /x"))
    stored = await hold(db, clock, request_for(call, run, risk=Risk.HIGH, reason="because \x1b[1m", effects=effects))
    found = await queue_on(db, clock).get(stored.id)
    assert found == stored
    assert found.because == "it says so; grave"
    assert (found.rule_id, found.rule_origin) == ("the-rule", "a.yaml:7")
    assert found.effects["commands"] == [["rm", "-rf", "/x"]]


async def test_a_deny_gives_no_permit_and_an_allow_gives_one_without_storing(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock)
    denied = await queue.settle(request_for(verdict=Verdict.DENY))
    assert denied == Refused("it says so", "the-rule")
    permit = await queue.settle(request_for(verdict=Verdict.ALLOW))
    assert isinstance(permit, Permit)
    assert await queue.list() == []


async def test_pending_to_approved_to_consumed_is_the_way_to_a_permit(db: AnyDatabase, clock: FakeClock) -> None:
    queue, request = queue_on(db, clock), request_for()
    approval = await hold(db, clock, request)
    approved = await queue.approve(approval.id, BEN)
    assert (approved.status, approved.resolved_by) == (ApprovalStatus.APPROVED, "ben")
    consumed = await queue.consume(approval.id)
    assert (consumed.status, consumed.consumed_at) == (ApprovalStatus.CONSUMED, clock.now())
    permit = await queue.claimed_permit(consumed, request)
    assert isinstance(permit, Permit)
    assert (permit.approved_by, permit.digest, permit.effects) == ("ben", approval.digest, request.effects)
    await queue.record_outcome(approval.id, "ok")
    assert (await queue.get(approval.id)).outcome == "ok"


async def in_state(db: AnyDatabase, clock: FakeClock, state: ApprovalStatus) -> Approval:
    queue = queue_on(db, clock, ttl_seconds=60, use_ttl_seconds=60)
    approval = await hold(db, clock, ttl_seconds=60)
    match state:
        case ApprovalStatus.APPROVED:
            await queue.approve(approval.id, BEN)
        case ApprovalStatus.DENIED:
            await queue.deny(approval.id, BEN, "no")
        case ApprovalStatus.CONSUMED:
            await queue.approve(approval.id, BEN)
            await queue.consume(approval.id)
        case ApprovalStatus.EXPIRED:
            clock.move(60)
        case ApprovalStatus.PENDING:
            pass
    found = await queue.get(approval.id)
    assert found.status is state
    return found


MOVES = [
    (ApprovalStatus.PENDING, "consume", ConflictError),
    (ApprovalStatus.APPROVED, "approve", ConflictError),
    (ApprovalStatus.APPROVED, "deny", ConflictError),
    (ApprovalStatus.DENIED, "approve", ConflictError),
    (ApprovalStatus.DENIED, "deny", ConflictError),
    (ApprovalStatus.DENIED, "consume", ConflictError),
    (ApprovalStatus.CONSUMED, "approve", ConflictError),
    (ApprovalStatus.CONSUMED, "deny", ConflictError),
    (ApprovalStatus.CONSUMED, "consume", ConflictError),
    (ApprovalStatus.EXPIRED, "approve", ExpiredError),
    (ApprovalStatus.EXPIRED, "deny", ExpiredError),
    (ApprovalStatus.EXPIRED, "consume", ExpiredError),
]


@pytest.mark.parametrize(("state", "verb", "error"), MOVES, ids=lambda v: str(v) if isinstance(v, str) else "")
async def test_every_other_move_is_refused_and_changes_nothing(
    db: AnyDatabase, clock: FakeClock, state: ApprovalStatus, verb: str, error: type[Exception]
) -> None:
    queue, before = queue_on(db, clock), await in_state(db, clock, state)
    with pytest.raises(error):
        await (queue.consume(before.id) if verb == "consume" else getattr(queue, verb)(before.id, BEN))
    assert await queue.get(before.id) == before


async def test_a_refused_move_says_what_happened_before(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock)
    approval = await in_state(db, clock, ApprovalStatus.CONSUMED)
    await queue.record_outcome(approval.id, "failed")
    with pytest.raises(ConflictError, match=r"already used \(failed\); nothing was done now"):
        await queue.approve(approval.id, BEN)
    denied = await in_state(db, clock, ApprovalStatus.DENIED)
    with pytest.raises(ConflictError, match="already denied by ben"):
        await queue.approve(denied.id, BEN)


async def test_a_pending_one_expires_at_the_second_and_not_before(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock)
    first, second = await hold(db, clock, ttl_seconds=60), await hold(db, clock, ttl_seconds=60)
    clock.move(59.5)
    await queue.approve(first.id, BEN)
    clock.move(0.5)
    with pytest.raises(ExpiredError):
        await queue.approve(second.id, BEN)


async def test_an_approved_one_that_is_not_used_in_time_expires(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock, use_ttl_seconds=30)
    approval = await hold(db, clock)
    await queue.approve(approval.id, BEN)
    clock.move(30)
    with pytest.raises(ExpiredError):
        await queue.consume(approval.id)
    assert (await queue.get(approval.id)).status is ApprovalStatus.EXPIRED


async def test_a_consumed_one_never_expires(db: AnyDatabase, clock: FakeClock) -> None:
    approval = await in_state(db, clock, ApprovalStatus.CONSUMED)
    clock.move(10_000_000)
    assert (await queue_on(db, clock).get(approval.id)).status is ApprovalStatus.CONSUMED


async def test_twenty_concurrent_claims_have_one_winner(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock)
    approval = await hold(db, clock)
    await queue.approve(approval.id, BEN)
    claims = await asyncio.gather(*(queue.consume(approval.id) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(one, Approval) for one in claims) == 1
    assert sum(isinstance(one, ConflictError) for one in claims) == 19


async def test_of_many_rulings_at_once_one_counts(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock)
    approval = await hold(db, clock)
    people = [Principal(f"p{n}", Source.HTTP) for n in range(20)]
    rulings = (queue.approve(approval.id, p) if n % 2 else queue.deny(approval.id, p) for n, p in enumerate(people))
    done = await asyncio.gather(*rulings, return_exceptions=True)
    (winner,) = [one for one in done if isinstance(one, Approval)]
    assert sum(isinstance(one, ConflictError) for one in done) == 19
    found = await queue.get(approval.id)
    assert (found.status, found.resolved_by) == (winner.status, winner.resolved_by)


async def test_one_is_found_by_an_unambiguous_beginning_in_any_case(db: AnyDatabase, clock: FakeClock) -> None:
    queue, approval = queue_on(db, clock), await hold(db, clock)
    for typed in (approval.id, approval.id[:8], approval.id[:4].upper(), f"  {approval.id[:6]}\n"):
        assert (await queue.get(typed)).id == approval.id


async def test_an_ambiguous_beginning_is_refused(db: AnyDatabase, clock: FakeClock) -> None:
    queue, one = queue_on(db, clock), await hold(db, clock)
    for tail in ("0" * 27, "1" * 27):
        await db.write(lambda c, t=tail: store.add(c, replace(one, id="abcde" + t)))
    with pytest.raises(ConflictError, match="more than one approval begins with abcde"):
        await queue.get("abcde")
    with pytest.raises(ConflictError):
        await queue.approve("abcde", BEN)
    assert (await queue.get("abcde0")).id == "abcde" + "0" * 27
    assert {a.status for a in await queue.list()} == {ApprovalStatus.PENDING}


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "abc",
        "%",
        "%%%%",
        "____",
        "' OR 1=1 --",
        "\0\0\0\0",
        "\ud800abcd",
        "****",
        "ffff\n; drop",
        "a" * 100_000,
        "\u0661\u0662\u0663\u0664",
        "../../etc",
        ":org",
        "{skip}",
        "f" * 33,
    ],
    ids=lambda text: repr(text[:12]),
)
async def test_a_hostile_id_is_simply_not_found(db: AnyDatabase, clock: FakeClock, typed: str) -> None:
    queue, approval = queue_on(db, clock), await hold(db, clock)
    for verb in (queue.get, lambda t: queue.approve(t, BEN), lambda t: queue.deny(t, BEN)):
        with pytest.raises(NotFoundError) as caught:
            await verb(typed)
        assert len(str(caught.value)) < 200
    assert (await queue.get(approval.id)).status is ApprovalStatus.PENDING


async def test_another_organisation_sees_nothing(db: AnyDatabase, clock: FakeClock) -> None:
    approval, queue = await hold(db, clock), queue_on(db, clock)
    queue._org = "other"
    assert await queue.list() == []
    with pytest.raises(NotFoundError):
        await queue.approve(approval.id, BEN)
    with pytest.raises(NotFoundError):
        await queue.consume(approval.id)


async def test_the_list_is_newest_first_bounded_and_chosen_by_status(db: AnyDatabase, clock: FakeClock) -> None:
    queue, made = queue_on(db, clock), []
    for _ in range(3):
        made.append(await hold(db, clock))
        clock.move(1)
    await queue.deny(made[1].id, BEN)
    assert [a.id for a in await queue.list()] == [a.id for a in reversed(made)]
    assert [a.id for a in await queue.list(ApprovalStatus.PENDING)] == [made[2].id, made[0].id]
    assert [a.id for a in await queue.list(limit=1)] == [made[2].id]


@pytest.mark.parametrize("risk", [Risk.HIGH, Risk.CRITICAL], ids=str)
@pytest.mark.parametrize(
    ("asked_by", "ruled_by"),
    [(Source.HTTP, Source.HTTP), (Source.HTTP, Source.CLI), (Source.CLI, Source.CHAT), (Source.CRON, Source.REPL)],
    ids=str,
)
async def test_four_eyes_keeps_requesters_from_approving_themselves(
    db: AnyDatabase, clock: FakeClock, risk: Risk, asked_by: Source, ruled_by: Source
) -> None:
    queue = queue_on(db, clock)
    approval = await hold(db, clock, request_for(run=run_by("ann", source=asked_by), risk=risk))
    with pytest.raises(PolicyDeniedError, match="four_eyes"):
        await queue.approve(approval.id, Principal("ann", ruled_by))
    assert (await queue.get(approval.id)).status is ApprovalStatus.PENDING
    assert (await queue.approve(approval.id, Principal("ben", ruled_by))).resolved_by == "ben"


@pytest.mark.parametrize(
    ("source", "risk", "four_eyes"),
    [(Source.CLI, Risk.CRITICAL, True), (Source.HTTP, Risk.MEDIUM, True), (Source.HTTP, Risk.CRITICAL, False)],
    ids=["at the terminal", "medium risk", "switched off"],
)
async def test_requesters_may_rule_where_four_eyes_does_not_reach(
    db: AnyDatabase, clock: FakeClock, source: Source, risk: Risk, four_eyes: bool
) -> None:
    approval = await hold(db, clock, request_for(run=run_by("ann", source=source), risk=risk))
    queue = queue_on(db, clock, four_eyes=four_eyes)
    assert (await queue.approve(approval.id, Principal("ann", source))).resolved_by == "ann"


async def test_requesters_may_always_say_no_to_themselves(db: AnyDatabase, clock: FakeClock) -> None:
    approval = await hold(db, clock, request_for(run=run_by("ann", source=Source.HTTP), risk=Risk.CRITICAL))
    denied = await queue_on(db, clock).deny(approval.id, Principal("ann", Source.HTTP), "changed my mind")
    assert (denied.status, denied.feedback) == (ApprovalStatus.DENIED, "changed my mind")


async def test_another_call_gets_no_permit_from_an_approval(db: AnyDatabase, clock: FakeClock) -> None:
    queue, approval = queue_on(db, clock), await in_state(db, clock, ApprovalStatus.CONSUMED)
    for other in (
        request_for(call_of(path="/etc/shadow")),
        request_for(call_of("change")),
        request_for(run=run_by("ben")),
        request_for(run=replace(run_by(), principal=Principal("ann", org="other"))),
    ):
        refused = await queue.claimed_permit(approval, other)
        assert isinstance(refused, Refused)
        assert refused.rule_id == "approval-digest"


async def test_a_call_that_policy_denies_by_now_gets_no_permit(db: AnyDatabase, clock: FakeClock) -> None:
    queue, approval = queue_on(db, clock), await in_state(db, clock, ApprovalStatus.CONSUMED)
    refused = await queue.claimed_permit(approval, request_for(verdict=Verdict.DENY))
    assert refused == Refused("it says so", "the-rule", approval.id)


@pytest.mark.parametrize("state", [s for s in ApprovalStatus if s is not ApprovalStatus.CONSUMED], ids=str)
async def test_an_approval_that_is_not_used_up_gives_no_permit(
    db: AnyDatabase, clock: FakeClock, state: ApprovalStatus
) -> None:
    approval = await in_state(db, clock, state)
    refused = await queue_on(db, clock).claimed_permit(approval, request_for())
    assert isinstance(refused, Refused)


async def test_an_allow_at_resume_still_needs_the_consumed_approval(db: AnyDatabase, clock: FakeClock) -> None:
    approval = await in_state(db, clock, ApprovalStatus.CONSUMED)
    permit = await queue_on(db, clock).claimed_permit(approval, request_for(verdict=Verdict.ALLOW))
    assert isinstance(permit, Permit)
    assert permit.approved_by == "ben"


async def test_a_kill_between_consume_and_run_leaves_it_consumed_without_effect(place: Place, tmp_path: Path) -> None:
    mark = tmp_path / "effect"
    command = [sys.executable, "-m", "tests.contract.approval_process", *place, str(tmp_path / "audit"), str(mark)]
    root = Path(__file__).parents[2]
    first = subprocess.run([*command, "die"], cwd=root, capture_output=True, text=True, timeout=40, check=False)
    assert first.returncode == -signal.SIGKILL, first.stderr
    second = subprocess.run([*command, "again"], cwd=root, capture_output=True, text=True, timeout=40, check=False)
    assert second.returncode == 0, second.stderr
    assert second.stdout.split("\n")[0].endswith("was already used; nothing was done now")
    assert not mark.exists()
