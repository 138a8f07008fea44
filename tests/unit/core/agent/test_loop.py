from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from akili_cli.adapters.telemetry.logs import correlation
from akili_cli.core.agent.history import History
from akili_cli.core.agent.loop import NUDGE, AgentLoop
from akili_cli.core.agent.settings import AgentSettings, MemorySettings
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Status, ToolOutput
from akili_cli.domain.decisions import BUILT_IN, Permit, Verdict
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import AuditError, ModelError, NotFoundError, ToolFailedError
from akili_cli.domain.events import Event
from akili_cli.domain.messages import Message, TextBlock, ToolResultBlock, ToolUseBlock, Usage
from akili_cli.domain.ports import NoKnowledge
from tests.fakes.models import ScriptedModel, unread, use
from tests.fakes.tools import Change, Destroy, FakeTool, Look, PathArgs
from tests.fakes.wiring import Bench, open_bench, run_by

SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
DENY = Rule("no-look", BUILT_IN, Verdict.DENY, Match(tools=("look",)), "nobody looks")
ASK = Rule("ask-change", BUILT_IN, Verdict.ASK, Match(tools=("change",)), "ask first")


@dataclass
class Stage:
    """An agent loop over a real pipeline and a scripted model, and everything it told its watcher."""

    bench: Bench
    loop: AgentLoop
    history: History
    model: ScriptedModel
    events: list[Event] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    async def stored(self, conversation_id: str | None, user: str = "ann") -> tuple[Message, ...]:
        assert conversation_id is not None
        return await self.history.load(conversation_id, user)


@asynccontextmanager
async def stage(
    directory: Path,
    model: ScriptedModel,
    *rules: Rule,
    tools: tuple[FakeTool, ...] = (),
    context_tokens: int = 100_000,
    limit_usd: float = 10.0,
    **settings: object,
) -> AsyncIterator[Stage]:
    async with open_bench(directory, tools or (Look(), Change(), Destroy()), *rules, limit_usd=limit_usd) as bench:
        history = History(bench.db, "default", bench.clock, MemorySettings.model_validate({}))
        loop = AgentLoop(
            model=model,
            pipeline=bench.pipeline,
            history=history,
            knowledge=NoKnowledge(),
            settings=AgentSettings.model_validate(settings),
            context_tokens=context_tokens,
            max_tokens=1000,
            timeout_s=5.0,
        )
        yield Stage(bench, loop, history, model)


def blocks_of(messages: tuple[Message, ...], kind: type) -> list[object]:
    return [block for message in messages for block in message.blocks if isinstance(block, kind)]


def assert_coherent(messages: tuple[Message, ...]) -> None:
    """Every tool use is answered exactly once, in the next message."""
    asked: list[str] = []
    for message in messages:
        answered = [b.tool_use_id for b in message.blocks if isinstance(b, ToolResultBlock)]
        assert answered == asked
        asked = [b.id for b in message.blocks if isinstance(b, ToolUseBlock)]
    assert asked == []


async def test_a_plain_answer_is_given_stored_and_told_in_order(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel("all is well")) as s:
        report = await s.loop.run("how is it?", run_by(), emit=s.events.append)
        assert (report.status, report.answer, report.error) == (Status.OK, "all is well", "")
        assert report.usage == Usage(10, 5)
        assert s.names == ["run.started", "text", "run.finished"]
        assert s.events[0].data["conversation_id"] == report.conversation_id
        assert s.events[-1].data == report.as_dict()
        assert [m.text for m in await s.stored(report.conversation_id)] == ["how is it?", "all is well"]
        assert [e.record.kind for e in await s.bench.records()] == ["model.call"]


async def test_what_is_logged_during_a_run_names_it(tmp_path: Path) -> None:
    seen: list[str] = []
    async with stage(tmp_path, ScriptedModel("fine")) as s:
        run = run_by()
        await s.loop.run("x", run, emit=lambda _event: seen.append(correlation.get()))
    assert set(seen) == {run.correlation_id}


async def test_tools_are_played_and_their_results_go_back_to_the_model(tmp_path: Path) -> None:
    model = ScriptedModel(("I will look", use(), use("change", id="call-2")), "looked")
    async with stage(tmp_path, model) as s:
        report = await s.loop.run("look", run_by(), emit=s.events.append)
        assert (report.status, report.answer) == (Status.OK, "looked")
        assert [step.status for step in report.steps] == [Status.OK, Status.OK]
        assert [spec.name for spec in model.requests[0].tools] == ["look", "change", "destroy"]
        results = blocks_of(model.requests[1].messages, ToolResultBlock)
        assert results == [ToolResultBlock("call-1", "done with /srv/x"), ToolResultBlock("call-2", "done with /srv/x")]
        told = ["tool.intent", "tool.result", "tool.intent", "tool.result"]
        assert s.names == ["run.started", "text", *told, "text", "run.finished"]
        assert_coherent(await s.stored(report.conversation_id))


async def test_every_event_is_one_line_of_json(tmp_path: Path) -> None:
    model = ScriptedModel(("so", use(), use("change", id="c2")), "end")
    async with stage(tmp_path, model, ASK) as s:
        await s.loop.run("x", run_by(), emit=s.events.append)
        for event in s.events:
            assert "\n" not in json.dumps({"event": event.name, **event.data})
        assert "approval.requested" in s.names


async def test_calls_that_only_look_overlap(tmp_path: Path) -> None:
    inside, together = 0, asyncio.Event()

    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        nonlocal inside
        inside += 1
        if inside == 3:
            together.set()
        await asyncio.wait_for(together.wait(), 5)
        return ToolOutput(args.path)

    model = ScriptedModel(tuple(use(path=f"/srv/{n}", id=f"c{n}") for n in range(3)), "done")
    async with stage(tmp_path, model, tools=(Look(act),)) as s:
        report = await s.loop.run("x", run_by())
        assert [step.text for step in report.steps] == ["/srv/0", "/srv/1", "/srv/2"]
        results = blocks_of(model.requests[1].messages, ToolResultBlock)
        assert [r.tool_use_id for r in results if isinstance(r, ToolResultBlock)] == ["c0", "c1", "c2"]


async def test_a_turn_that_changes_something_runs_one_call_after_another(tmp_path: Path) -> None:
    inside = 0

    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        nonlocal inside
        inside += 1
        assert inside == 1
        await asyncio.sleep(0)
        inside -= 1
        return ToolOutput(args.path)

    model = ScriptedModel((use(id="a"), use("change", id="b"), use(path="/y", id="c")), "done")
    async with stage(tmp_path, model, tools=(Look(act), Change(act))) as s:
        report = await s.loop.run("x", run_by())
        assert [step.status for step in report.steps] == [Status.OK] * 3


async def test_outside_text_read_by_one_call_taints_the_next_of_the_same_turn(tmp_path: Path) -> None:
    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        return ToolOutput("obey me", untrusted="file /motd")

    change = Change()
    model = ScriptedModel((use(id="a"), use("change", id="b")), "done")
    async with stage(tmp_path, model, tools=(Look(act), change)) as s:
        report = await s.loop.run("x", run_by())
        assert report.status is Status.APPROVAL_REQUIRED
        (held,) = await s.bench.pipeline.approvals.list()
        assert held.untrusted == ("file /motd",)
    assert change.ran == 0


async def test_an_attachment_taints_the_run_and_keeps_what_tainted_it_before(tmp_path: Path) -> None:
    model = ScriptedModel(use("change"), "done")
    async with stage(tmp_path, model) as s:
        report = await s.loop.run(
            "x", run_by(untrusted=("web page",)), attachments=(TextBlock("obey", untrusted="stdin"),)
        )
        assert report.status is Status.APPROVAL_REQUIRED
        (held,) = await s.bench.pipeline.approvals.list()
        assert held.untrusted == ("web page", "stdin")


@pytest.mark.parametrize("raw", ["", "{", "[1]", "null", '"x"', "{'path': '/x'}", '{"path": "/x"} extra', "\ud800"])
async def test_arguments_that_are_no_object_are_answered_as_invalid(tmp_path: Path, raw: str) -> None:
    look = Look()
    async with stage(tmp_path, ScriptedModel(unread(raw), "sorry"), tools=(look,)) as s:
        report = await s.loop.run("x", run_by())
        assert (report.status, report.steps[0].status) == (Status.OK, Status.INVALID)
        assert await s.bench.results() == ["success", "invalid", "success"]
        assert_coherent(await s.stored(report.conversation_id))
    assert look.ran == 0


async def test_an_unknown_tool_is_answered_and_the_run_goes_on(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel(use("rm_rf"), "I see")) as s:
        report = await s.loop.run("x", run_by())
        assert (report.status, report.answer) == (Status.OK, "I see")
        assert report.steps[0].status is Status.INVALID


async def test_one_empty_reply_is_nudged(tmp_path: Path) -> None:
    model = ScriptedModel("", "here")
    async with stage(tmp_path, model) as s:
        report = await s.loop.run("x", run_by())
        assert (report.status, report.answer) == (Status.OK, "here")
        assert model.requests[1].messages[-1].text == NUDGE


@pytest.mark.parametrize("reply", ["", "  \n\t"], ids=["nothing", "white space"])
async def test_two_empty_replies_fail_the_run(tmp_path: Path, reply: str) -> None:
    async with stage(tmp_path, ScriptedModel(reply)) as s:
        report = await s.loop.run("x", run_by())
        assert (report.status, report.error) == (Status.FAILED, "the model gave an empty answer twice")
        assert len(s.model.requests) == 2
        assert_coherent(await s.stored(report.conversation_id))


def endless(look: Look) -> Look:
    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        return ToolOutput(f"number {look.ran}", ok=False)

    look.act = act
    return look


async def test_endless_tool_calls_end_at_max_iterations(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel(use()), tools=(endless(Look()),), max_iterations=4) as s:
        report = await s.loop.run("x", run_by())
        assert report.status is Status.FAILED
        assert "agent.max_iterations" in report.error
        assert len(s.model.requests) == 4
        assert_coherent(await s.stored(report.conversation_id))


async def test_endless_tool_calls_end_at_max_steps_also_within_one_turn(tmp_path: Path) -> None:
    look = endless(Look())
    turn = tuple(use(path=f"/{n}", id=f"c{n}") for n in range(7))
    async with stage(tmp_path, ScriptedModel(turn), tools=(look,), max_steps=5) as s:
        report = await s.loop.run("x", run_by())
        assert (report.status, look.ran) == (Status.FAILED, 5)
        assert "agent.max_steps" in report.error
        stored = await s.stored(report.conversation_id)
        assert_coherent(stored)
        assert "limit of tool calls" in str(blocks_of(stored, ToolResultBlock)[-1])


async def test_the_same_call_with_the_same_result_ends_the_run(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel(use()), max_repeats=3) as s:
        report = await s.loop.run("x", run_by())
        assert (report.status, len(report.steps)) == (Status.FAILED, 3)
        assert "same result 3 times" in report.error


async def test_the_second_equal_denial_ends_the_run_as_denied(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel(use(), use(id="again"), "never said"), DENY) as s:
        report = await s.loop.run("x", run_by())
        assert (report.status, len(s.model.requests)) == (Status.DENIED, 2)
        assert "refused twice" in report.error
        assert len(report.denials) == 2
        assert_coherent(await s.stored(report.conversation_id))


async def test_a_denial_is_never_hidden_by_a_good_answer(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel(use(), "everything is fine"), DENY) as s:
        report = await s.loop.run("x", run_by())
        assert (report.status, report.answer) == (Status.DENIED, "everything is fine")
        assert report.as_dict()["denials"][0]["rule"] == "no-look"  # type: ignore[index]


async def test_a_pending_approval_stops_the_run_after_the_other_calls_ran(tmp_path: Path) -> None:
    look, change = Look(), Change()
    model = ScriptedModel(("I need this", use("change", id="a"), use(id="b")), "never said")
    async with stage(tmp_path, model, ASK, tools=(look, change)) as s:
        report = await s.loop.run("x", run_by(), emit=s.events.append)
        assert (report.status, report.answer) == (Status.APPROVAL_REQUIRED, "I need this")
        assert (look.ran, change.ran, len(model.requests)) == (1, 0, 1)
        asked = next(event for event in s.events if event.name == "approval.requested")
        assert asked.data["id"] == report.cards[0]["id"]
        assert_coherent(await s.stored(report.conversation_id))


async def test_an_approved_result_takes_the_place_of_the_wait_in_the_conversation(tmp_path: Path) -> None:
    model = ScriptedModel(use("change", id="a"), "thank you")
    async with stage(tmp_path, model, ASK) as s:
        first = await s.loop.run("x", run_by())
        assert first.cards[0]["id"]
        assert first.conversation_id
        approval, step = await s.bench.pipeline.resume(str(first.cards[0]["id"]), run_by("ben").principal)
        await s.history.replace_result(first.conversation_id, approval.call_id, step.text, step.status != "ok")
        second = await s.loop.run("go on", replace(run_by(), conversation_id=first.conversation_id))
        assert (second.status, second.answer) == (Status.OK, "thank you")
        assert ToolResultBlock("a", "done with /srv/x") in blocks_of(model.requests[1].messages, ToolResultBlock)


async def test_a_reply_cut_off_in_the_middle_of_a_call_runs_nothing(tmp_path: Path) -> None:
    look = Look()
    model = ScriptedModel((use(), unread('{"path": "/et', id="c2")), stop="max_tokens")
    async with stage(tmp_path, model, tools=(look,), max_iterations=1) as s:
        report = await s.loop.run("x", run_by())
        assert [step.status for step in report.steps] == [Status.INVALID, Status.INVALID]
        assert "cut off by the output limit" in report.steps[0].text
        assert_coherent(await s.stored(report.conversation_id))
    assert look.ran == 0


async def test_an_answer_cut_off_by_the_limit_says_so(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel("once upon", stop="max_tokens")) as s:
        report = await s.loop.run("x", run_by())
        assert report.answer == "once upon\n\n[cut off by the output limit]"


async def test_a_model_error_in_the_middle_keeps_the_conversation_whole(tmp_path: Path) -> None:
    model = ScriptedModel(use(), ModelError("provider is down", hint="wait"))
    async with stage(tmp_path, model) as s:
        report = await s.loop.run("x", run_by(), emit=s.events.append)
        assert (report.status, report.error) == (Status.FAILED, "provider is down (wait)")
        assert s.names[-1] == "run.finished"
        stored = await s.stored(report.conversation_id)
        assert_coherent(stored)
        assert len(stored) == 3
        assert await s.bench.results() == ["success", "intent", "success", "failure"]
        assert (await s.bench.pipeline.ledger.status("ann")).reserved_usd == 0


async def test_a_model_that_ends_without_finishing_fails_the_run(tmp_path: Path) -> None:
    class Silent(ScriptedModel):
        async def stream(self, request: object) -> AsyncIterator[object]:  # type: ignore[override]
            for _ in ():
                yield _

    async with stage(tmp_path, Silent("x")) as s:
        report = await s.loop.run("x", run_by())
        assert report.status is Status.FAILED
        assert "without finishing" in report.error


async def test_a_run_that_takes_too_long_ends_as_timeout(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel("x", gate=asyncio.Event())) as s:
        report = await s.loop.run("x", run_by(), timeout_s=0.05, emit=s.events.append)
        assert report.status is Status.TIMEOUT
        assert "0.05 s" in report.error
        assert s.events[-1].data["status"] == "timeout"
        assert (await s.bench.pipeline.ledger.status("ann")).reserved_usd == 0


async def hanging(args: PathArgs, permit: Permit) -> ToolOutput:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_timeout_inside_a_tool_answers_every_open_call(tmp_path: Path) -> None:
    model = ScriptedModel((use(id="a"), use("change", id="b")))
    async with stage(tmp_path, model, tools=(Look(), Change(hanging))) as s:
        report = await s.loop.run("x", run_by(), timeout_s=0.2)
        assert report.status is Status.TIMEOUT
        stored = await s.stored(report.conversation_id)
        assert_coherent(stored)
        assert (await s.bench.results())[-1] == "interrupted"


async def test_a_timeout_of_somebody_else_is_not_taken_for_the_runs_own(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel(TimeoutError("a bug below"))) as s:
        with pytest.raises(TimeoutError, match="a bug below"):
            await s.loop.run("x", run_by())
        with pytest.raises(TimeoutError, match="a bug below"):
            await s.loop.run("x", run_by(), timeout_s=60)


@pytest.mark.parametrize("where", ["model", "tool"])
async def test_a_cancelled_run_tells_its_end_and_keeps_the_conversation_whole(tmp_path: Path, where: str) -> None:
    gate = asyncio.Event()
    model = ScriptedModel("x", gate=gate) if where == "model" else ScriptedModel((use("change", id="a"),))
    async with stage(tmp_path, model, tools=(Change(hanging),)) as s:
        started = asyncio.Event()

        def emit(event: Event) -> None:
            s.events.append(event)
            if event.name == ("run.started" if where == "model" else "tool.intent"):
                started.set()

        conversation = await s.history.create("ann")
        task = asyncio.create_task(s.loop.run("x", run_by(conversation_id=conversation), emit=emit))
        await started.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (s.events[-1].name, s.events[-1].data["status"]) == ("run.finished", "interrupted")
        stored = await s.stored(conversation)
        assert_coherent(stored)
        assert stored[0].text == "x"
        assert (await s.bench.pipeline.ledger.status("ann")).reserved_usd == 0


async def test_another_users_conversation_is_not_found_and_nothing_happens(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel("x")) as s:
        theirs = await s.history.create("ben")
        for conversation in (theirs, "nonsense", "", theirs.upper(), "' OR 1=1"):
            with pytest.raises(NotFoundError):
                await s.loop.run("x", run_by(conversation_id=conversation), emit=s.events.append)
        assert (s.events, s.model.requests) == ([], [])
        assert await s.bench.results() == []


async def test_a_message_beyond_the_context_is_refused_without_asking_the_model(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel("x"), context_tokens=2000) as s:
        report = await s.loop.run("word " * 5000, run_by())
        assert report.status is Status.FAILED
        assert "fit into the model's context" in report.error
        assert s.model.requests == []


async def test_a_conversation_beyond_the_context_loses_its_oldest_turns(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel("yes"), context_tokens=4000) as s:
        conversation = await s.history.create("ann")
        for _ in range(4):
            report = await s.loop.run("word " * 800, run_by(conversation_id=conversation))
            assert report.status is Status.OK
        first = s.model.requests[-1].messages[0]
        assert first.role == "user"
        assert len(s.model.requests[-1].messages) < 7


@pytest.mark.parametrize("cap", [1.0, None], ids=["own cap", "the user's day"])
async def test_a_model_without_a_price_is_refused_where_somebody_set_a_limit_in_usd(
    tmp_path: Path, cap: float | None
) -> None:
    async with stage(tmp_path, ScriptedModel("x", price=None)) as s:
        report = await s.loop.run("x", run_by(max_cost_usd=cap))
        assert report.status is Status.BUDGET_EXCEEDED
        assert "no known price" in report.error
        assert "price: {free: true}" in report.error
        assert s.model.requests == []


async def test_a_run_stops_before_it_costs_more_than_its_cap(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel(use(), price=0.4), tools=(endless(Look()),)) as s:
        report = await s.loop.run("x", run_by(max_cost_usd=1.0))
        assert report.status is Status.BUDGET_EXCEEDED
        assert report.cost_usd == pytest.approx(0.8)
        assert len(s.model.requests) == 2
        assert_coherent(await s.stored(report.conversation_id))


async def test_an_exhausted_day_stops_the_run(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel("x", price=0.6), limit_usd=1.0) as s:
        assert (await s.loop.run("x", run_by())).status is Status.OK
        report = await s.loop.run("x", run_by())
        assert report.status is Status.BUDGET_EXCEEDED
        assert len(s.model.requests) == 1


async def test_secrets_reach_neither_model_nor_events_nor_store(tmp_path: Path) -> None:
    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        return ToolOutput(f"it says {SECRET}")

    model = ScriptedModel((f"I use {SECRET}", use(path=f"/{SECRET}")), f"the token is {SECRET}")
    async with stage(tmp_path, model, tools=(Look(act),)) as s:
        report = await s.loop.run(
            f"my token is {SECRET}",
            run_by(),
            attachments=(TextBlock(f"token={SECRET}", untrusted="stdin"),),
            emit=s.events.append,
        )
        assert SECRET not in json.dumps([event.data for event in s.events])
        assert SECRET not in json.dumps(report.as_dict())
        assert SECRET not in str(await s.stored(report.conversation_id))
        assert SECRET not in str(model.requests[0])
        results = blocks_of(model.requests[1].messages, ToolResultBlock)
        assert SECRET not in str(results)
    assert SECRET.encode() not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


async def test_a_failed_tool_is_answered_as_an_error_and_the_run_can_still_succeed(tmp_path: Path) -> None:
    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        raise ToolFailedError("no such unit")

    model = ScriptedModel(use(), "it is not there")
    async with stage(tmp_path, model, tools=(Look(act),)) as s:
        report = await s.loop.run("x", run_by())
        assert (report.status, report.steps[0].status) == (Status.OK, Status.FAILED)
        (result,) = blocks_of(model.requests[1].messages, ToolResultBlock)
        assert isinstance(result, ToolResultBlock)
        assert (result.text, result.is_error) == ("Error: no such unit", True)


async def test_a_broken_audit_ends_the_run_and_leaves_no_call_running(tmp_path: Path) -> None:
    running: list[str] = []
    both = asyncio.Event()

    async with stage(tmp_path, ScriptedModel("x")) as s:

        async def act(args: PathArgs, permit: Permit) -> ToolOutput:
            running.append(args.path)
            if len(running) == 2:
                both.set()
            await both.wait()
            try:
                if args.path == "/breaks":
                    await s.bench.audit.close()
                    return ToolOutput("x")
                await asyncio.Event().wait()
            finally:
                running.remove(args.path)
            raise AssertionError

        tool = Look(act)
        s.bench.pipeline.tools._tools["look"] = tool
        s.model._turns = ((use(path="/breaks", id="a"), use(path="/waits", id="b")),)
        with pytest.raises(AuditError):
            await s.loop.run("x", run_by())
        assert running == []


async def test_without_a_history_nothing_is_stored(tmp_path: Path) -> None:
    async with stage(tmp_path, ScriptedModel("x")) as s:
        report = await replace(s.loop, history=None).run("x", run_by())
        assert (report.status, report.conversation_id) == (Status.OK, None)


async def test_a_call_that_reaches_outside_is_not_run_beside_others(tmp_path: Path) -> None:
    tool = Look(effects=lambda args: Effects(hosts=("example.org:443",)))
    model = ScriptedModel((use(id="a"), use(path="/y", id="b")), "done")
    async with stage(tmp_path, model, tools=(tool,)) as s:
        report = await s.loop.run("x", run_by())
        assert report.status is Status.OK
    assert tool.ran == 2
