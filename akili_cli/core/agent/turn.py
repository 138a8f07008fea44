"""Runs the tool calls of one model turn through the pipeline and words the results for the model."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from akili_cli.core.agent.guards import Guards
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
class TurnRunner:
    """Plays one turn after another for one run."""

    pipeline: Pipeline
    settings: AgentSettings
    emit: Emit

    async def play(
        self, uses: tuple[ToolUseBlock, ...], run: Run, guards: Guards, *, reason: str, cut_off: bool
    ) -> TurnResult:
        """Answer every tool use of a turn, in order; calls that only look run side by side.

        Each use gets exactly one result, also those beyond the step limit and those cut off.
        """
        steps: list[StepResult] = []
        allowed = uses[: max(guards.steps_left, 0)]
        calls = [(use, ToolCall(use.id, use.name, use.arguments or {})) for use in allowed]
        if len(calls) > 1 and all(self._only_looks(use, call, run, cut_off) for use, call in calls):
            steps.extend(await _side_by_side([self._one(u, c, run, reason, cut_off) for u, c in calls]))
        else:
            for use, call in calls:
                step = await self._one(use, call, run, reason, cut_off)
                steps.append(step)
                run = _tainted(run, step)
        for step in steps:
            guards.note(step)
            run = _tainted(run, step)
        answers = [self._answer(step) for step in steps]
        for use in uses[len(allowed) :]:
            await self.pipeline.reject(ToolCall(use.id, use.name, use.arguments or {}), run, OVER_LIMIT)
            answers.append(ToolResultBlock(use.id, f"Refused: {OVER_LIMIT}", is_error=True))
        return TurnResult(tuple(steps), Message("user", tuple(answers)), run)

    def _only_looks(self, use: ToolUseBlock, call: ToolCall, run: Run, cut_off: bool) -> bool:
        return not cut_off and use.arguments is not None and self.pipeline.only_looks(call, run)

    async def _one(self, use: ToolUseBlock, call: ToolCall, run: Run, reason: str, cut_off: bool) -> StepResult:
        redact = self.pipeline.redactor.value
        self.emit(
            Event(
                "tool.intent",
                {"call_id": call.id, "tool": call.name, "arguments": redact(dict(call.arguments))},
            )
        )
        if cut_off:
            step = await self.pipeline.reject(call, run, CUT_OFF.removeprefix("Invalid: "))
        elif use.arguments is None:
            why = f"the arguments of {call.name} are not a JSON object: {use.raw[:200]!r}"
            step = await self.pipeline.reject(call, run, why)
        else:
            step = await self.pipeline.run(call, run, reason=reason)
        if step.status is Status.APPROVAL_REQUIRED and step.approval_id is not None:
            self.emit(Event("approval.requested", await self.pipeline.card(step.approval_id)))
        told = step_dict(step)
        told["arguments"] = redact(told["arguments"])
        self.emit(Event("tool.result", {**told, "text": step.text}))
        return step

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
