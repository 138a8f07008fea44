from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.bootstrap.goals import AgentGoals, run_of
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.agent.settings import AgentSettings
from akili_cli.core.policy.model import Match, Rule
from akili_cli.core.schedule.base import Goal
from akili_cli.domain.calls import Source
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.ports import NoKnowledge
from tests.fakes.models import ScriptedModel, use
from tests.fakes.steps import CrashError, DictSteps
from tests.fakes.tools import Change, Look
from tests.fakes.wiring import Bench, open_bench

GOAL = Goal(text="look", user="ann", source=Source.CRON, org="default", correlation_id="cron:j:1", max_cost_usd=0.5)
DENY = Rule("no-look", BUILT_IN, Verdict.DENY, Match(tools=("look",)), "nobody looks")


def goals(bench: Bench, model: ScriptedModel) -> AgentGoals:
    async def open_loop() -> AgentLoop:
        return AgentLoop(
            model=model,
            pipeline=bench.pipeline,
            history=None,
            knowledge=NoKnowledge(),
            settings=AgentSettings.model_validate({}),
            context_tokens=100_000,
            max_tokens=1000,
            timeout_s=5.0,
        )

    return AgentGoals(open_loop, bench.redactor)


def test_every_attempt_at_a_fire_is_the_same_run_and_no_other() -> None:
    assert run_of(GOAL, "cron:j:1") == run_of(GOAL, "cron:j:1")
    assert run_of(GOAL, "cron:j:1").id != run_of(GOAL, "cron:j:2").id
    run = run_of(GOAL, "cron:j:1")
    assert (run.principal.user, run.principal.source, run.max_cost_usd, run.autonomous) == (
        "ann",
        Source.CRON,
        0.5,
        False,
    )


async def test_a_goal_is_reached_through_the_loop(tmp_path: Path) -> None:
    async with open_bench(tmp_path, (Look(), Change())) as bench:
        reached = await goals(bench, ScriptedModel(use(), "all is well")).run(GOAL, DictSteps())
        records = await bench.records()
    assert (reached.status, reached.answer, reached.tokens, reached.denials) == ("ok", "all is well", 30, ())
    assert {entry.record.source for entry in records} == {"cron"}
    assert {entry.record.user for entry in records} == {"ann"}


async def test_a_refusal_is_told(tmp_path: Path) -> None:
    async with open_bench(tmp_path, (Look(), Change()), DENY) as bench:
        reached = await goals(bench, ScriptedModel(use(), "I may not")).run(GOAL, DictSteps())
    assert reached.status == "denied"
    assert "nobody looks" in reached.denials[0]


async def test_an_attempt_after_a_crash_goes_on_where_the_first_was(tmp_path: Path) -> None:
    change = Change()
    async with open_bench(tmp_path, (Look(), change)) as bench:
        runner = goals(bench, ScriptedModel(use("change"), "done"))
        steps = DictSteps(dies_after=["model 2"])
        with pytest.raises(CrashError):
            await runner.run(GOAL, steps)
        reached = await runner.run(GOAL, DictSteps(steps.kept))
    assert reached.status == "ok"
    assert change.ran == 1
