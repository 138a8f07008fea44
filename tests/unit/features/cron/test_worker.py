from __future__ import annotations

import pytest

from akili_cli.adapters.engine.backends.inline import DirectSteps
from akili_cli.adapters.engine.base import Steps
from akili_cli.core.schedule.base import Fire, FireStatus, Goal, Reached
from akili_cli.features.cron.settings import SchedulerSettings
from akili_cli.features.cron.worker import CronSchedule
from tests.fakes.clock import FakeClock

PAYLOAD = {"goal": "look", "budget_limit_usd": 0.5, "name": "n", "notify": []}
FIRE = Fire(id="cron:j:1", org="default", kind="cron", job_id="j", fire_at=1.0, user="ann", payload=PAYLOAD, node="n")


class Agent:
    def __init__(self, reached: Reached) -> None:
        self.reached = reached
        self.goals: list[Goal] = []

    async def run(self, goal: Goal, _steps: Steps) -> Reached:
        self.goals.append(goal)
        return self.reached


def schedule(agent: Agent, **settings: object) -> CronSchedule:
    return CronSchedule(settings=SchedulerSettings.model_validate(settings), agent=agent, notifier=None)  # type: ignore[arg-type]  # unused here


def test_the_settings_say_how_often_and_how_many() -> None:
    made = schedule(Agent(Reached(status="ok", answer="", run_id="")), poll_interval_seconds=7, max_concurrent_jobs=3)
    assert (made.poll_s, made.max_running, made.kind, made.durable) == (7.0, 3, "cron", True)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("ok", FireStatus.OK),
        ("failed", FireStatus.FAILED),
        ("denied", FireStatus.DENIED),
        ("approval_required", FireStatus.DENIED),
        ("budget_exceeded", FireStatus.BUDGET_EXCEEDED),
        ("timeout", FireStatus.TIMEOUT),
        ("interrupted", FireStatus.INTERRUPTED),
        ("unavailable", FireStatus.FAILED),
    ],
)
async def test_how_a_run_ended_is_said_without_a_refusal_getting_lost(status: str, expected: FireStatus) -> None:
    agent = Agent(Reached(status=status, answer="a" * 999, run_id="r1", denials=("Refused: no",), tokens=7))
    ended = await schedule(agent).run(FIRE, DirectSteps("f", FakeClock()))
    assert [(goal.text, goal.user, goal.max_cost_usd) for goal in agent.goals] == [("look", "ann", 0.5)]
    assert (ended.status, ended.error, len(ended.summary), ended.details) == (
        expected,
        "Refused: no",
        500,
        {"tokens": 7},
    )
