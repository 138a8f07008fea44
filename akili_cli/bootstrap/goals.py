"""Works on goals without anybody there: the one agent loop, with a journal that survives the process."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

from akili_cli.adapters.engine.base import Steps
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.agent.journal import KeptJournal
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.schedule.base import Goal, Reached
from akili_cli.domain.calls import Principal, Run, Source

RUNS = uuid.UUID("6f0f6c1e-6a55-5f6c-9b0a-3a6c0a1f7e11")
"""The name space of run ids: every attempt at one engine run is the same agent run."""


class AgentGoals:
    """A ``core.schedule.base.GoalRunner``; it opens the loop when the first goal comes and keeps it."""

    def __init__(self, open_loop: Callable[[], Awaitable[AgentLoop]], redactor: Redactor) -> None:
        """Keep what opens the loop."""
        self._open_loop = open_loop
        self._redactor = redactor
        self._loop: AgentLoop | None = None

    async def run(self, goal: Goal, steps: Steps) -> Reached:
        """Work on a goal as its user, without a conversation; held calls are waited for."""
        if self._loop is None:
            self._loop = replace(await self._open_loop(), history=None)
        run = run_of(goal, steps.run_id)
        journal = KeptJournal(steps, self._redactor)
        report = await self._loop.run(goal.text, run, timeout_s=goal.timeout_s, journal=journal)
        denials = tuple(step.text for step in report.steps if step.status.is_refusal)
        return Reached(
            status=str(report.status),
            answer=report.answer,
            run_id=run.id,
            error=report.error,
            cost_usd=report.cost_usd,
            tokens=report.usage.input_tokens + report.usage.output_tokens,
            denials=denials,
        )


def run_of(goal: Goal, name: str) -> Run:
    """Begin, or enter again, the run of a goal."""
    return Run(
        id=str(uuid.uuid5(RUNS, name)),
        principal=Principal(goal.user, Source(goal.source), org=goal.org),
        correlation_id=goal.correlation_id,
        max_cost_usd=goal.max_cost_usd,
    )
