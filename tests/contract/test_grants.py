from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.core.approvals.model import AnswerKind, ApprovalStatus
from akili_cli.core.approvals.request import Held, Refused, Request, asked_of
from akili_cli.domain.calls import Principal, Run, Source, ToolCall, call_digest
from akili_cli.domain.decisions import BUILT_IN, Decision, Permit, RuleHit, Verdict
from akili_cli.domain.effects import Command, Effects
from akili_cli.domain.errors import ConflictError, ExpiredError, NotFoundError, PolicyDeniedError, UsageError
from akili_cli.domain.risk import Risk
from tests.contract.places import AnyDatabase
from tests.fakes.clock import FakeClock
from tests.fakes.wiring import ScriptedAsker, queue_on, run_by

BEN, CARL = Principal("ben", Source.HTTP), Principal("carl", Source.HTTP)
RESTART = Effects(commands=(Command("systemctl", ("systemctl", "restart", "nginx"), "/usr/bin/systemctl"),))
AUTO = {"auto_approval": {"enabled": True, "allowed_tools": ["shell_exec"], "max_auto_approvals": 2}}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def request_of(
    command: str = "systemctl restart nginx",
    effects: Effects = RESTART,
    *,
    run: Run | None = None,
    risk: Risk = Risk.HIGH,
    tool: str = "shell_exec",
) -> Request:
    run = run or run_by(conversation_id="conv-1")
    call = ToolCall("call-1", tool, {"command": command})
    decision = Decision(Verdict.ASK, risk, (RuleHit("ask", BUILT_IN, Verdict.ASK, "it asks"),))
    return Request(call, run, effects, decision, call_digest(run.principal, tool, call.arguments))


def running(*argv: str, **more: object) -> Effects:
    return Effects(commands=(Command(argv[0], argv, f"/usr/bin/{argv[0]}"),), **more)  # type: ignore[arg-type]


async def test_a_session_ruling_stands_for_exactly_this_call_in_this_session(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock, asker=ScriptedAsker(AnswerKind.SESSION))
    first = await queue.settle(request_of())
    assert isinstance(first, Permit)
    queue.asker = None
    again = await queue.settle(request_of())
    assert isinstance(again, Permit)
    assert again.approved_by is not None
    assert again.approved_by.startswith("ann (grant ")
    assert isinstance(await queue.settle(request_of("systemctl restart redis")), Held)
    assert isinstance(await queue.settle(request_of(run=run_by(conversation_id="conv-2"))), Held)
    assert isinstance(await queue.settle(request_of(run=run_by("ben", conversation_id="conv-1"))), Held)


@pytest.mark.parametrize(
    ("command", "effects", "stands"),
    [
        ("systemctl restart redis", running("systemctl", "restart", "redis"), True),
        ("systemctl stop redis", running("systemctl", "stop", "redis"), False),
        ("systemctl restart redis > /etc/x", running("systemctl", "restart", "redis", writes=("/etc/x",)), False),
        ("systemctl restart redis", running("systemctl", "restart", "redis", hosts=("a.example:80",)), False),
        ("systemctl restart redis", replace(running("systemctl", "restart", "redis"), opaque="eval"), False),
        (
            "systemctl restart a; systemctl restart b",
            Effects(commands=RESTART.commands + running("systemctl", "restart", "b").commands),
            False,
        ),
        (
            "sudo systemctl restart redis",
            Effects(commands=(replace(RESTART.commands[0], wrappers=("sudo",)),)),
            False,
        ),
    ],
    ids=["same-verb", "other-verb", "writes", "reaches", "opaque", "compound", "wrapped"],
)
async def test_a_pattern_ruling_covers_nothing_wider_than_it_says(
    db: AnyDatabase, clock: FakeClock, command: str, effects: Effects, stands: bool
) -> None:
    queue = queue_on(db, clock, asker=ScriptedAsker(AnswerKind.PATTERN))
    assert isinstance(await queue.settle(request_of()), Permit)
    queue.asker = None
    assert isinstance(await queue.settle(request_of(command, effects)), Permit) is stands


async def test_a_pattern_of_files_stays_in_its_directory(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock, asker=ScriptedAsker(AnswerKind.PATTERN))
    inside = request_of("a", Effects(writes=("/srv/app/a",)), tool="file_write")
    assert isinstance(await queue.settle(inside), Permit)
    queue.asker = None
    for path, stands in (("/srv/app/b", True), ("/srv/app/c/d", True), ("/srv/app2/b", False), ("/srv", False)):
        request = request_of(path, Effects(writes=(path,)), tool="file_write")
        assert isinstance(await queue.settle(request), Permit) is stands, path


@pytest.mark.parametrize(
    "request_",
    [
        request_of(risk=Risk.CRITICAL),
        request_of("sh -c x", running("sh", "-c", "x")),
        request_of("a; b", Effects(commands=RESTART.commands * 2)),
        request_of("x", running("kill", *["1"] * 400)),
    ],
    ids=["critical", "interpreter", "compound", "over-long"],
)
async def test_some_calls_get_no_pattern(db: AnyDatabase, clock: FakeClock, request_: Request) -> None:
    queue = queue_on(db, clock, asker=ScriptedAsker(AnswerKind.PATTERN))
    refused = await queue.settle(request_)
    assert isinstance(refused, Refused)
    assert "can only be approved once" in refused.because
    assert await queue.grants.list() == []


async def test_a_ruling_never_covers_a_higher_risk_and_always_ends(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock, asker=ScriptedAsker(AnswerKind.SESSION), grant_ttl_seconds=60)
    await queue.settle(request_of(risk=Risk.MEDIUM))
    queue.asker = None
    assert isinstance(await queue.settle(request_of(risk=Risk.HIGH)), Held)
    assert isinstance(await queue.settle(request_of(risk=Risk.MEDIUM)), Permit)
    clock.move(61)
    assert isinstance(await queue.settle(request_of(risk=Risk.MEDIUM)), Held)
    assert [grant.uses for grant in await queue.grants.list(everything=True)] == [1]


async def test_a_revoked_ruling_is_gone_at_once(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock, asker=ScriptedAsker(AnswerKind.SESSION))
    await queue.settle(request_of())
    grant = (await queue.grants.list())[0]
    assert (await queue.grants.revoke(grant.id[:8])).id == grant.id
    queue.asker = None
    assert isinstance(await queue.settle(request_of()), Held)
    for unknown in (grant.id, "", "zz", "%%%%"):
        with pytest.raises(NotFoundError):
            await queue.grants.revoke(unknown)


async def approved_by_hand(db: AnyDatabase, clock: FakeClock, times: int, outcome: str = "ok") -> None:
    queue = queue_on(db, clock)
    for _ in range(times):
        held = await queue.settle(request_of())
        assert isinstance(held, Held)
        await queue.approve(held.approval.id, BEN)
        await queue.consume(held.approval.id)
        await queue.record_outcome(held.approval.id, outcome)


async def test_what_was_approved_often_enough_goes_through_within_the_hourly_cap(
    db: AnyDatabase, clock: FakeClock
) -> None:
    await approved_by_hand(db, clock, 3)
    queue = queue_on(db, clock, **AUTO)
    for _ in range(2):
        permit = await queue.settle(request_of())
        assert isinstance(permit, Permit)
        assert permit.approved_by == "auto-approval"
    assert isinstance(await queue.settle(request_of()), Held)
    clock.move(3600)
    assert isinstance(await queue.settle(request_of()), Permit)


async def test_concurrent_calls_share_the_hourly_cap(db: AnyDatabase, clock: FakeClock) -> None:
    await approved_by_hand(db, clock, 3)
    queues = [queue_on(db, clock, **AUTO) for _ in range(8)]
    settled = await asyncio.gather(*(queue.settle(request_of()) for queue in queues))
    assert sum(isinstance(one, Permit) for one in settled) == 2


@pytest.mark.parametrize(
    ("times", "outcome", "request_", "settings"),
    [
        (2, "ok", request_of(), AUTO),
        (3, "failed", request_of(), AUTO),
        (3, "ok", request_of("systemctl restart redis"), AUTO),
        (3, "ok", request_of(risk=Risk.CRITICAL), AUTO),
        (3, "ok", request_of(effects=replace(RESTART, opaque="eval")), AUTO),
        (3, "ok", request_of(), {"auto_approval": {"enabled": True, "allowed_tools": ["git_write"]}}),
        (3, "ok", request_of(), {"auto_approval": {"enabled": False, "allowed_tools": ["shell_exec"]}}),
    ],
    ids=["too-few", "went-wrong", "other-call", "critical", "opaque", "other-tool", "off"],
)
async def test_nothing_else_goes_through_by_itself(
    db: AnyDatabase, clock: FakeClock, times: int, outcome: str, request_: Request, settings: dict[str, object]
) -> None:
    await approved_by_hand(db, clock, times, outcome)
    assert isinstance(await queue_on(db, clock, **settings).settle(request_), Held)


async def test_a_denial_and_time_reset_the_count(db: AnyDatabase, clock: FakeClock) -> None:
    await approved_by_hand(db, clock, 3)
    queue = queue_on(db, clock)
    held = await queue.settle(request_of())
    assert isinstance(held, Held)
    clock.move(1)
    await queue.deny(held.approval.id, BEN)
    assert isinstance(await queue_on(db, clock, **AUTO).settle(request_of()), Held)
    await approved_by_hand(db, clock, 3)
    clock.move(25 * 3600)
    assert isinstance(await queue_on(db, clock, **AUTO).settle(request_of()), Held)


async def test_a_quorum_needs_as_many_different_people(db: AnyDatabase, clock: FakeClock) -> None:
    queue = queue_on(db, clock, critical_quorum=2)
    held = await queue.settle(request_of(risk=Risk.CRITICAL, run=run_by(source=Source.HTTP)))
    assert isinstance(held, Held)
    with pytest.raises(PolicyDeniedError, match="four_eyes"):
        await queue.approve(held.approval.id, Principal("ann", Source.HTTP))
    for _ in range(2):
        assert (await queue.approve(held.approval.id, BEN)).status is ApprovalStatus.PENDING
    with pytest.raises(ConflictError):
        await queue.consume(held.approval.id)
    assert (await queue.approve(held.approval.id, CARL)).status is ApprovalStatus.APPROVED
    assert (await queue.consume(held.approval.id)).status is ApprovalStatus.CONSUMED


async def test_a_changed_input_voids_an_approval(db: AnyDatabase, clock: FakeClock, tmp_path: Path) -> None:
    script = tmp_path / "deploy.sh"
    script.write_text("echo 1")
    effects = Effects(reads=(str(script),), commands=(Command("deploy.sh", (str(script),), str(script)),))
    queue = queue_on(db, clock)
    request = request_of(str(script), effects)
    held = await queue.settle(request)
    assert isinstance(held, Held)
    assert list(held.approval.inputs) == [str(script)]
    await queue.approve(held.approval.id, BEN)
    used = await queue.consume(held.approval.id)
    assert isinstance(await queue.claimed_permit(used, request), Permit)
    script.write_text("rm -rf /")
    refused = await queue.claimed_permit(used, request)
    assert isinstance(refused, Refused)
    assert refused.rule_id == "approval-inputs"


def planned(path: Path, text: str = "x") -> Request:
    run = replace(run_by(), plan=True)
    return request_of(text, Effects(writes=(str(path),)), run=run, tool="file_write", risk=Risk.MEDIUM)


async def test_a_plan_is_taken_once_whole_or_in_part(db: AnyDatabase, clock: FakeClock, tmp_path: Path) -> None:
    queue = queue_on(db, clock)
    for name in ("a", "b", "c"):
        await queue.settle(planned(tmp_path / name, name))
    plan = await queue.plans.seal(planned(tmp_path).run, "write three files")
    assert plan is not None
    assert [step.plan_index for step in plan.steps] == [1, 2, 3]
    with pytest.raises(UsageError, match="no step 7"):
        await queue.plans.claim(plan.id, BEN, (7,))
    steps = await queue.plans.claim(plan.id, BEN, (1, 3))
    assert [step.arguments["command"] for step in steps] == ["a", "c"]
    with pytest.raises(ConflictError, match="already applied"):
        await queue.plans.claim(plan.id, BEN)


async def test_a_plan_whose_inputs_drifted_does_nothing(db: AnyDatabase, clock: FakeClock, tmp_path: Path) -> None:
    queue = queue_on(db, clock)
    await queue.settle(planned(tmp_path / "a"))
    plan = await queue.plans.seal(planned(tmp_path).run, "m")
    assert plan is not None
    (tmp_path / "a").write_text("somebody was faster")
    with pytest.raises(ConflictError, match="changed since"):
        await queue.plans.claim(plan.id, BEN)
    assert (await queue.plans.get(plan.id)).status == "pending"


async def test_a_plan_that_was_tampered_with_does_nothing(db: AnyDatabase, clock: FakeClock, tmp_path: Path) -> None:
    queue = queue_on(db, clock)
    await queue.settle(planned(tmp_path / "a"))
    plan = await queue.plans.seal(planned(tmp_path).run, "m")
    assert plan is not None
    sql = 'UPDATE approvals SET arguments = \'{"command":"other"}\' WHERE plan_id = :id'
    await db.write(lambda conn: conn.execute(sql, {"id": plan.id}))
    with pytest.raises(ConflictError, match="not what was planned"):
        await queue.plans.claim(plan.id, BEN)


async def test_a_plan_expires_and_can_be_denied(db: AnyDatabase, clock: FakeClock, tmp_path: Path) -> None:
    queue = queue_on(db, clock)
    await queue.settle(planned(tmp_path / "a"))
    plan = await queue.plans.seal(planned(tmp_path).run, "m")
    assert plan is not None
    await queue.plans.deny(plan.id, BEN)
    with pytest.raises(ConflictError, match="already denied"):
        await queue.plans.claim(plan.id, BEN)
    with pytest.raises(NotFoundError):
        await queue.plans.get("plan-none")
    other = replace(planned(tmp_path / "b").run, id="run-2")
    await queue.settle(replace(planned(tmp_path / "b"), run=other))
    late = await queue.plans.seal(other, "m")
    assert late is not None
    clock.move(3601)
    with pytest.raises(ExpiredError):
        await queue.plans.claim(late.id, BEN)


async def test_a_run_that_plans_nothing_has_no_plan(db: AnyDatabase, clock: FakeClock) -> None:
    assert await queue_on(db, clock).plans.seal(run_by(), "m") is None


def test_what_is_asked_belongs_to_the_conversation_or_the_run() -> None:
    assert asked_of(request_of()).session == "conv-1"
    assert asked_of(request_of(run=run_by())).session == "run-1"
