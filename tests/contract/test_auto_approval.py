from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.core.approvals.request import Held
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal
from akili_cli.domain.decisions import BUILT_IN, Permit, Verdict
from akili_cli.domain.risk import Risk
from tests.contract.places import AnyDatabase, Place
from tests.contract.test_grants import AUTO, BEN, approved_by_hand, request_of
from tests.fakes.clock import FakeClock
from tests.fakes.tools import Change
from tests.fakes.wiring import ScriptedAsker, call_of, open_bench, queue_on, run_by

ASK = Rule("ask", BUILT_IN, Verdict.ASK, Match(tools=("change",)), "ask")
ON = {"auto_approval": {"enabled": True, "allowed_tools": ["change"], "required_approvals": 2, "max_auto_approvals": 2}}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_several_processes_share_one_cap(db: AnyDatabase, place: Place, clock: FakeClock) -> None:
    await approved_by_hand(db, clock, 3)
    command = [sys.executable, "-m", "tests.contract.auto_process", *place, "5"]
    root = Path(__file__).parents[2]
    started = [
        subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [int(process.communicate(timeout=60)[0]) for process in started]
    assert sum(counts) == 2


async def test_the_cap_is_each_users_own_and_begins_anew_with_the_clock_hour(db: AnyDatabase, clock: FakeClock) -> None:
    await approved_by_hand(db, clock, 3)
    queue = queue_on(db, clock, **AUTO)
    assert [isinstance(await queue.settle(request_of()), Permit) for _ in range(3)] == [True, True, False]
    clock.move(3600 - clock.now() % 3600)
    assert isinstance(await queue.settle(request_of()), Permit)


async def test_what_was_approved_at_a_lower_risk_does_not_count(db: AnyDatabase, clock: FakeClock) -> None:
    """The same call with outside text in context asks one level higher; that is what a person has to see."""
    queue = queue_on(db, clock)
    for _ in range(3):
        held = await queue.settle(request_of(risk=Risk.MEDIUM))
        assert isinstance(held, Held)
        await queue.approve(held.approval.id, BEN)
        await queue.consume(held.approval.id)
        await queue.record_outcome(held.approval.id, "ok")
    auto = queue_on(db, clock, **AUTO)
    assert isinstance(await auto.settle(request_of(risk=Risk.MEDIUM)), Permit)
    assert isinstance(await auto.settle(request_of(risk=Risk.HIGH)), Held)


async def test_another_users_approvals_do_not_count(db: AnyDatabase, clock: FakeClock) -> None:
    await approved_by_hand(db, clock, 3)
    assert isinstance(await queue_on(db, clock, **AUTO).settle(request_of(run=run_by("ben"))), Held)


async def test_what_goes_through_by_itself_is_on_record_as_that_and_is_decided_and_paid_like_any_call(
    tmp_path: Path,
) -> None:
    async with open_bench(tmp_path, [Change()], ASK, **ON) as bench:
        for _ in range(2):
            await bench.pipeline.run(call_of("change"), run_by())
            (held,) = [one for one in await bench.pipeline.approvals.list() if one.status == "pending"]
            await bench.pipeline.resume(held.id, Principal("ben"))
        step = await bench.pipeline.run(call_of("change"), run_by())
        assert step.status == "ok"
        assert (await bench.results())[-3:] == ["auto_approved", "intent", "success"]
        record = (await bench.records())[-1].record
        assert record.approved_by == "auto-approval"
        deny = Rule("no", BUILT_IN, Verdict.DENY, Match(tools=("change",)), "no")
        assert (await bench.with_rules(ASK, deny).run(call_of("change"), run_by())).status == "denied"
        outside = replace(run_by(), untrusted=("stdin",))
        assert (await bench.pipeline.run(call_of("change"), outside)).status == "approval_required"


async def test_a_person_who_is_called_like_it_is_on_record_as_a_person(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Change()], ASK, asker=ScriptedAsker()) as bench:
        pipeline = replace(bench.pipeline, role_of=lambda _principal: "operator")
        assert (await pipeline.run(call_of("change"), run_by("auto-approval"))).status == "ok"
        assert await bench.results() == ["approved", "intent", "success"]


async def test_an_edited_argument_is_another_call(tmp_path: Path) -> None:
    async with open_bench(tmp_path, [Change()], ASK, **ON) as bench:
        for _ in range(2):
            await bench.pipeline.run(call_of("change"), run_by())
            (held,) = [one for one in await bench.pipeline.approvals.list() if one.status == "pending"]
            await bench.pipeline.resume(held.id, Principal("ben"))
        for path in ("/srv/x ", "/srv//x", "/srv/./x", "/srv/X"):
            assert (await bench.pipeline.run(call_of("change", path), run_by())).status == "approval_required"
