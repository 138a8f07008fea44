from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.agent.history import History
from akili_cli.core.agent.journal import (
    KeptJournal,
    completion_as_dict,
    parse_completion,
    parse_step,
    step_as_dict,
)
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.agent.report import RunReport
from akili_cli.core.agent.settings import AgentSettings, MemorySettings
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal, Source, Status, StepResult, ToolCall
from akili_cli.domain.decisions import BUILT_IN, Decision, Origin, RuleHit, Verdict
from akili_cli.domain.errors import ModelError
from akili_cli.domain.events import Event
from akili_cli.domain.messages import Attempt, Completion, Message, TextBlock, Usage
from akili_cli.domain.ports import NoKnowledge
from akili_cli.domain.risk import Risk
from tests.fakes.models import ScriptedModel, use
from tests.fakes.steps import CrashError, DictSteps
from tests.fakes.tools import Change, Look
from tests.fakes.wiring import Bench, open_bench, run_by

ASK = Rule("ask-change", BUILT_IN, Verdict.ASK, Match(tools=("change",)), "ask first")
SECRET = "s3cr3t-value-of-the-tests"


@asynccontextmanager
async def stage(
    directory: Path, model: ScriptedModel, *rules: Rule, change: Change | None = None
) -> AsyncIterator[tuple[Bench, AgentLoop]]:
    async with open_bench(directory, (Look(), change or Change()), *rules) as bench:
        loop = AgentLoop(
            model=model,
            pipeline=bench.pipeline,
            history=None,
            knowledge=NoKnowledge(),
            settings=AgentSettings.model_validate({}),
            context_tokens=100_000,
            max_tokens=1000,
            timeout_s=5.0,
        )
        yield bench, loop


async def play(bench: Bench, loop: AgentLoop, steps: DictSteps, timeout_s: float | None = None) -> RunReport:
    journal = KeptJournal(steps, bench.redactor)
    return await loop.run("go", run_by(source=Source.CRON), journal=journal, timeout_s=timeout_s)


def test_an_answer_is_given_back_as_it_was() -> None:
    done = Completion(
        message=Message("assistant", (TextBlock("ü"), use(id="a"))),
        usage=Usage(3, 4),
        stop_reason="tool_use",
        provider="p",
        model="m",
        cost_usd=None,
        attempts=(Attempt("p", "m", "down", 0.5),),
        report={"a": [1]},
        skill="disk",
    )
    assert parse_completion(json.loads(json.dumps(completion_as_dict(done)))) == done


def test_a_result_is_given_back_with_its_decision() -> None:
    hit = RuleHit("no", Origin("a.yaml", 3), Verdict.DENY, "because")
    step = StepResult(
        ToolCall("c", "look", {"path": "/x"}),
        Status.DENIED,
        "Refused",
        "audit",
        decision=Decision(Verdict.DENY, Risk.HIGH, (hit,), ("why",)),
        approval_id="f" * 32,
        metadata={"exit_code": 1},
        untrusted="file /x",
        layers=("files",),
    )
    assert parse_step(json.loads(json.dumps(step_as_dict(step)))) == step


async def test_a_run_that_was_cut_off_reads_back_what_it_had_done(tmp_path: Path) -> None:
    model, change = ScriptedModel((use(id="a"), use("change", id="b")), "done"), Change()
    async with stage(tmp_path, model, change=change) as (bench, loop):
        steps = DictSteps(dies_after=["model 2"])
        with pytest.raises(CrashError):
            await play(bench, loop, steps)
        again = await play(bench, loop, DictSteps(steps.kept))
    assert (again.status, again.answer) == (Status.OK, "done")
    assert [step.call.id for step in again.steps] == ["a", "b"]
    assert change.ran == 1
    assert len(model.requests) == 3  # the second answer was given, but not kept
    assert again.usage == Usage(20, 10)


async def test_a_change_whose_end_is_not_known_is_not_repeated_and_ends_the_run(tmp_path: Path) -> None:
    change = Change()
    async with stage(tmp_path, ScriptedModel(use("change", id="b"), "done"), change=change) as (bench, loop):
        steps = DictSteps(dies_after=["call 1.1"])
        with pytest.raises(CrashError):
            await play(bench, loop, steps)
        again = await play(bench, loop, DictSteps(steps.kept))
        results = await bench.results()
    assert again.status is Status.INTERRUPTED
    assert "not repeated" in again.error
    assert "not known" in again.steps[0].text
    assert change.ran == 1
    assert "interrupted" in results


async def test_a_look_whose_end_is_not_known_is_taken_again(tmp_path: Path) -> None:
    look = Look()
    async with open_bench(tmp_path, (look,)) as bench:
        loop = AgentLoop(
            model=ScriptedModel(use(id="a"), "done"),
            pipeline=bench.pipeline,
            history=None,
            knowledge=NoKnowledge(),
            settings=AgentSettings.model_validate({}),
            context_tokens=100_000,
            max_tokens=1000,
            timeout_s=5.0,
        )
        steps = DictSteps(dies_after=["call 1.1"])
        with pytest.raises(CrashError):
            await play(bench, loop, steps)
        bench.clock.move(3600)  # past the cache
        again = await play(bench, loop, DictSteps(steps.kept))
    assert again.status is Status.OK
    assert look.ran == 2


async def test_the_same_call_twice_in_one_run_is_two_calls(tmp_path: Path) -> None:
    change = Change()
    model = ScriptedModel(use("change", id="same"), use("change", "/srv/y", id="same"), "done")
    async with stage(tmp_path, model, change=change) as (bench, loop):
        report = await play(bench, loop, DictSteps())
    assert report.status is Status.OK
    assert change.ran == 2


async def test_a_held_call_is_waited_for_and_runs_once_it_is_approved(tmp_path: Path) -> None:
    change = Change()
    async with stage(tmp_path, ScriptedModel(use("change", id="b"), "done"), ASK, change=change) as (bench, loop):
        waiting = asyncio.create_task(play(bench, loop, DictSteps(), timeout_s=30))
        while not (held := await bench.pipeline.approvals.list()):
            await asyncio.sleep(0)
        approval, told = await bench.pipeline.resume(held[0].id, Principal("ben", Source.CLI))
        assert change.ran == 0
        assert "goes on with it" in told.text
        report = await waiting
        with pytest.raises(Exception, match="already"):
            await bench.pipeline.resume(approval.id, Principal("ben", Source.CLI))
    assert (report.status, report.answer) == (Status.OK, "done")
    assert change.ran == 1


async def test_a_run_that_was_cut_off_while_it_waited_goes_on_with_the_ruling(tmp_path: Path) -> None:
    change = Change()
    model = ScriptedModel(use("change", id="b"), "done")
    async with stage(tmp_path, model, ASK, change=change) as (bench, loop):
        steps = DictSteps()
        waiting = asyncio.create_task(play(bench, loop, steps))
        while "call 1.1" not in steps.kept:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        held = (await bench.pipeline.approvals.list())[0]
        await bench.pipeline.resume(held.id, Principal("ben", Source.CLI))
        report = await play(bench, loop, DictSteps(steps.kept))
        assert len(await bench.pipeline.approvals.list()) == 1
    assert report.status is Status.OK
    assert change.ran == 1


async def test_an_approved_call_whose_end_is_not_known_is_not_repeated(tmp_path: Path) -> None:
    change = Change()
    async with stage(tmp_path, ScriptedModel(use("change", id="b"), "done"), ASK, change=change) as (bench, loop):
        steps = DictSteps(dies_after=["call 1.1 ruled"])
        waiting = asyncio.create_task(play(bench, loop, steps))
        while not (held := await bench.pipeline.approvals.list()):
            await asyncio.sleep(0)
        await bench.pipeline.resume(held[0].id, Principal("ben", Source.CLI))
        with pytest.raises(CrashError):
            await waiting
        again = await play(bench, loop, DictSteps(steps.kept))
    assert again.status is Status.INTERRUPTED
    assert change.ran == 1


@pytest.mark.parametrize("answer", ["denied", "nobody"])
async def test_a_held_call_that_is_not_approved_is_a_refusal_the_model_reads(tmp_path: Path, answer: str) -> None:
    change = Change()
    model = ScriptedModel(use("change", id="b"), "then not")
    async with stage(tmp_path, model, ASK, change=change) as (bench, loop):
        waiting = asyncio.create_task(play(bench, loop, DictSteps()))
        while not (held := await bench.pipeline.approvals.list()):
            await asyncio.sleep(0)
        if answer == "denied":
            await bench.pipeline.refuse(held[0].id, Principal("ben", Source.CLI), "not today")
        report = await waiting
    assert report.status is Status.DENIED
    assert ("not today" if answer == "denied" else "in time") in report.steps[0].text
    assert change.ran == 0


async def conversing(
    bench: Bench, loop: AgentLoop, steps: DictSteps, conversation: str, *, is_stopped: bool = False
) -> RunReport:
    journal = KeptJournal(steps, bench.redactor, lambda: is_stopped)
    run = run_by(source=Source.HTTP, conversation_id=conversation)
    return await loop.run("go", run, journal=journal, emit=EVENTS.append)


EVENTS: list[Event] = []


@pytest.mark.parametrize(
    ("dies_after", "asked_twice"), [("earlier", None), ("model 1", 0), ("call 1.1", None), ("model 2", 1)]
)
async def test_a_conversation_gets_the_messages_of_a_run_once_wherever_it_was_cut_off(
    tmp_path: Path, dies_after: str, asked_twice: int | None
) -> None:
    EVENTS.clear()
    script: list[Any] = [use(id="a"), "done"]
    if asked_twice is not None:
        script.insert(asked_twice, script[asked_twice])
    model = ScriptedModel(*script)
    async with stage(tmp_path, model) as (bench, plain):
        history = History(bench.db, "default", bench.clock, MemorySettings.model_validate({}))
        loop = replace(plain, history=history)
        talk = await history.create("ann")
        await history.append(talk, "ann", (Message("user", (TextBlock("before"),)),))
        steps = DictSteps(dies_after=[dies_after])
        with pytest.raises(CrashError):
            await conversing(bench, loop, steps, talk)
        assert len(await history.load(talk, "ann")) == 1
        report = await conversing(bench, loop, DictSteps(steps.kept), talk)
        assert report.status is Status.OK
        stored = await history.load(talk, "ann")
        again = await conversing(bench, loop, DictSteps(steps.kept), talk)  # as if the end had not been noted
        assert again.status is Status.OK
        assert await history.load(talk, "ann") == stored
    assert [message.role for message in stored] == ["user", "user", "assistant", "user", "assistant"]
    assert {event.name for event in EVENTS} >= {"run.started", "text", "run.finished"}


@pytest.mark.parametrize("is_stopped", [True, False])
async def test_a_run_that_is_cancelled_ends_only_if_somebody_stopped_it(tmp_path: Path, is_stopped: bool) -> None:
    EVENTS.clear()
    async with stage(tmp_path, ScriptedModel("x", gate=asyncio.Event())) as (bench, plain):
        history = History(bench.db, "default", bench.clock, MemorySettings.model_validate({}))
        loop = replace(plain, history=history)
        talk = await history.create("ann")
        running = asyncio.create_task(conversing(bench, loop, DictSteps(), talk, is_stopped=is_stopped))
        while not loop.model.requests:  # type: ignore[attr-defined]  # a scripted one
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert len(await history.load(talk, "ann")) == (1 if is_stopped else 0)
    assert (EVENTS[-1].name == "run.finished") is is_stopped


async def test_a_providers_failure_is_kept_as_one(tmp_path: Path) -> None:
    model = ScriptedModel(ModelError("it is down", hint="wait"))
    async with stage(tmp_path, model) as (bench, loop):
        steps = DictSteps()
        first = await play(bench, loop, steps)
        again = await play(bench, loop, DictSteps(steps.kept))
    assert first.status is again.status is Status.FAILED
    assert first.failure == again.failure == "model"
    assert "it is down" in again.error
    assert len(model.requests) == 1


async def test_secrets_are_sealed_where_steps_are_kept() -> None:
    redactor, steps = Redactor(), DictSteps()
    redactor.register(SECRET, "token")
    done = Completion(Message("assistant", (use(path=SECRET),)), Usage(), "tool_use", "p", "m", 0.0)

    async def ask() -> Completion:
        return done

    assert await KeptJournal(steps, redactor).completion("model 1", ask) == (done, True)
    assert SECRET not in json.dumps(steps.kept)
    assert await KeptJournal(steps, redactor).completion("model 1", ask) == (done, False)
