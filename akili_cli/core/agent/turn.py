"""Runs the tool calls of one model turn through the pipeline and words the results for the model."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from akili_cli.core.agent.guards import Guards
from akili_cli.core.agent.journal import Journal
from akili_cli.core.agent.report import step_dict
from akili_cli.core.agent.settings import AgentSettings
from akili_cli.core.execution.pipeline import Pipeline
from akili_cli.domain.calls import Run, Status, StepResult, ToolCall
from akili_cli.domain.events import Emit, Event
from akili_cli.domain.messages import Message, ToolResultBlock, ToolUseBlock

OVER_LIMIT = "the run reached its limit of tool calls"
CUT_OFF = "Invalid: the reply was cut off by the output limit before this call was complete; nothing was run"


@dataclass(frozen=True, slots=True)
class TurnResult:
    """The steps of a turn, the message that answers them all, and the run with what it has now read."""

    steps: tuple[StepResult, ...]
    message: Message
    run: Run


@dataclass(frozen=True, slots=True)
class _Asked:
    """One call of a turn: its name in the journal, and how the model asked for it."""

    name: str
    use: ToolUseBlock
    call: ToolCall
    reason: str
    cut_off: bool


@dataclass(frozen=True, slots=True)
class TurnRunner:
    """Plays one turn after another for one run."""

    pipeline: Pipeline
    settings: AgentSettings
    emit: Emit
    journal: Journal
    limit: asyncio.Timeout

    async def play(
        self, uses: tuple[ToolUseBlock, ...], run: Run, guards: Guards, *, reason: str, cut_off: bool, number: int
    ) -> TurnResult:
        """Answer every tool use of a turn, in order; calls that only look run side by side.

        ``number`` is the turn's; with it the journal names the calls.

        Each use gets exactly one result, also those beyond the step limit and those cut off.
        """
        steps: list[StepResult] = []
        allowed = uses[: max(guards.steps_left, 0)]
        calls = [
            _Asked(f"call {number}.{place}", use, ToolCall(use.id, use.name, use.arguments or {}), reason, cut_off)
            for place, use in enumerate(allowed, start=1)
        ]
        if len(calls) > 1 and all(self._only_looks(asked, run) for asked in calls):
            steps.extend(await _side_by_side([self._one(asked, run) for asked in calls]))
        else:
            for asked in calls:
                step = await self._one(asked, run)
                steps.append(step)
                run = _tainted(run, step)
        for step in steps:
            guards.note(step)
            run = _tainted(run, step)
        answers = [self._answer(step) for step in steps]
        for place, use in enumerate(uses[len(allowed) :], start=len(allowed) + 1):
            call = ToolCall(use.id, use.name, use.arguments or {})
            await self.journal.call(f"call {number}.{place}", run, partial(self._over_limit, call))
            answers.append(ToolResultBlock(use.id, f"Refused: {OVER_LIMIT}", is_error=True))
        return TurnResult(tuple(steps), Message("user", tuple(answers)), run)

    def _only_looks(self, asked: _Asked, run: Run) -> bool:
        return not asked.cut_off and asked.use.arguments is not None and self.pipeline.only_looks(asked.call, run)

    async def _one(self, asked: _Asked, run: Run) -> StepResult:
        call = asked.call
        redact = self.pipeline.redactor.value
        self.emit(
            Event(
                "tool.intent",
                {"call_id": call.id, "tool": call.name, "arguments": redact(dict(call.arguments))},
            )
        )
        step = await self.journal.call(asked.name, run, partial(self._play, asked))
        if step.status is Status.APPROVAL_REQUIRED and step.approval_id is not None:
            self.emit(Event("approval.requested", await self.pipeline.card(step.approval_id)))
            if self.journal.waits:
                held = step.approval_id
                step = await self.journal.call(f"{asked.name} ruled", run, lambda _: self._ruled(held))
        told = step_dict(step)
        told["arguments"] = redact(told["arguments"])
        self.emit(Event("tool.result", {**told, "text": step.text}))
        return step

    async def _play(self, asked: _Asked, run: Run) -> StepResult:
        if asked.cut_off:
            return await self.pipeline.reject(asked.call, run, CUT_OFF.removeprefix("Invalid: "))
        if asked.use.arguments is None:
            why = f"the arguments of {asked.call.name} are not a JSON object: {asked.use.raw[:200]!r}"
            return await self.pipeline.reject(asked.call, run, why)
        return await self.pipeline.run(asked.call, run, reason=asked.reason)

    async def _over_limit(self, call: ToolCall, run: Run) -> StepResult:
        return await self.pipeline.reject(call, run, OVER_LIMIT)

    async def _ruled(self, approval_id: str) -> StepResult:
        """Wait for a human, off the run's clock, then go on with what they said."""
        loop, end = asyncio.get_running_loop(), self.limit.when()
        left = None if end is None else end - loop.time()
        self.limit.reschedule(None)
        await self.pipeline.approvals.ruled(approval_id)
        self.limit.reschedule(None if left is None else loop.time() + left)
        return await self.pipeline.proceed(approval_id)

    def _answer(self, step: StepResult) -> ToolResultBlock:
        text = shortened(step.text, self.settings.max_result_bytes)
        exit_code = step.metadata.get("exit_code")
        if exit_code not in (None, 0):
            text = f"{text}\n[exit {exit_code}]"
        failed = step.status not in (Status.OK, Status.PLANNED)
        return ToolResultBlock(step.call.id, text, is_error=failed, untrusted=step.untrusted)


async def _side_by_side(calls: list[Coroutine[Any, Any, StepResult]]) -> list[StepResult]:
    """Run all; when one raises, the others are ended before the error goes on, so that nothing is left running."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def shortened(text: str, limit_bytes: int) -> str:
    """Keep head and tail of a text that is too long for a model, saying how much is missing."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit_bytes:
        return text
    half = limit_bytes // 2
    head, tail = data[:half].decode("utf-8", "ignore"), data[-half:].decode("utf-8", "ignore")
    return f"{head}\n[... {len(data) - 2 * half} bytes left out ...]\n{tail}"


def _tainted(run: Run, step: StepResult) -> Run:
    if step.untrusted is None or step.untrusted in run.untrusted:
        return run
    return replace(run, untrusted=(*run.untrusted, step.untrusted))
