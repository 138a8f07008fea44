from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.domain.calls import Principal, Source, Status
from akili_cli.domain.errors import ConflictError, NotFoundError
from akili_cli.domain.messages import Message, TextBlock, ToolResultBlock, ToolUseBlock
from akili_cli.features.queries.live import LiveRuns
from akili_cli.gateways.http import rulings
from tests.fakes.clock import FakeClock
from tests.fakes.held import TEAM, held, place_of, planned, writes
from tests.fakes.http_app import Gateway, open_gateway

ANN, BEN, VIC = (Principal(user, Source.HTTP) for user in ("ann", "ben", "vic"))


@pytest.fixture
async def team(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, TEAM) as opened:
        yield opened


async def waiting(team: Gateway) -> tuple[str, str]:
    """A held call whose conversation waits for its result: the conversation and the approval."""
    history, call = team.app.history, writes(team)
    assert history is not None
    conversation = await history.create("ann")
    asked = Message("user", (TextBlock("q"),))
    used = Message("assistant", (ToolUseBlock(call.id, call.name, dict(call.arguments)),))
    result = Message("user", (ToolResultBlock(call.id, "Waiting"),))
    await history.append(conversation, "ann", (asked, used, result))
    return conversation, await held(team, call=call, conversation_id=conversation)


async def told(team: Gateway, conversation: str) -> ToolResultBlock:
    assert team.app.history is not None
    (block,) = (await team.app.history.load(conversation, "ann"))[-1].blocks
    assert isinstance(block, ToolResultBlock)
    return block


async def test_a_conversation_learns_what_came_of_it_or_that_it_was_denied(team: Gateway) -> None:
    conversation, approval = await waiting(team)
    done = await rulings.approve(team.desk, approval, BEN)
    assert (done.status, done.approval_id) == (Status.OK, approval)
    assert (await told(team, conversation)).text == done.text
    conversation, approval = await waiting(team)
    await rulings.deny(team.desk, approval, BEN, "not today")
    assert (await told(team, conversation)).text == "Refused: ben said no: not today"


async def test_who_may_not_see_it_cannot_rule_on_it(team: Gateway) -> None:
    approval, plan = await held(team), await planned(team, "x")
    for act in (
        rulings.approve(team.desk, approval, VIC),
        rulings.deny(team.desk, approval, VIC, ""),
        rulings.edit(team.desk, approval, {"content": "y"}, VIC),
        rulings.apply(team.desk, plan, VIC, ()),
        rulings.seen(team.desk, "0" * 32, ANN),
        rulings.seen_plan(team.desk, "plan-0", ANN),
    ):
        with pytest.raises(NotFoundError, match="there is no"):
            await act
    assert not place_of(team).exists()


async def test_a_step_of_a_plan_is_ruled_on_with_its_plan(team: Gateway) -> None:
    plan = await team.app.approvals.plans.get(await planned(team, "x"))
    assert not plan.steps[0].waits
    with pytest.raises(ConflictError, match="is step 1 of plan-"):
        await rulings.edit(team.desk, plan.steps[0].id, {"content": "y"}, BEN)


async def test_a_run_that_does_not_tell_in_time_goes_on_and_that_is_the_answer(team: Gateway) -> None:
    approval = await held(team)
    mark = "UPDATE approvals SET waits = 1"
    await team.app.state.db.write(lambda conn: conn.execute(mark, {}))
    clock = FakeClock()
    began = clock.monotonic()
    done = await rulings.approve(replace(team.desk, clock=clock), approval, BEN)
    assert (done.status, done.text) == (None, "")
    assert clock.monotonic() - began >= rulings.WAIT_S
    assert str((await team.app.approvals.get(approval)).status) == "approved"


async def test_what_came_of_it_on_another_node_is_told_without_its_text(team: Gateway) -> None:
    approval = await held(team)
    mark = "UPDATE approvals SET waits = 1, outcome = 'failed'"
    await team.app.state.db.write(lambda conn: conn.execute(mark, {}))
    done = await rulings.approve(replace(team.desk, clock=FakeClock()), approval, BEN)
    assert (done.status, done.text) == (Status.FAILED, "")


async def test_a_gateway_that_stops_does_not_wait(team: Gateway) -> None:
    approval, live = await held(team), LiveRuns()
    await team.app.state.db.write(lambda conn: conn.execute("UPDATE approvals SET waits = 1", {}))
    live.close_all()
    clock = FakeClock()
    began = clock.monotonic()
    assert (await rulings.approve(replace(team.desk, clock=clock, live=live), approval, BEN)).status is None
    assert clock.monotonic() == began
