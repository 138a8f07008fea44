"""What the entry points of the table share: models that ask for a probe, and the end at its answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from akili_cli.bootstrap.ground import Ground
from akili_cli.bootstrap.rulings import Asked
from akili_cli.core.agent.journal import parse_step
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.policy.engine import RuleSet
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal, Run, Source, StepResult
from akili_cli.domain.decisions import BUILT_IN, Verdict
from akili_cli.domain.ids import new_uuid
from akili_cli.domain.messages import (
    Completion,
    Message,
    ModelEvent,
    ModelRequest,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    Usage,
)

PROBE, PRIMER = "probe", "primer"
APPROVER = Principal("akili-probe-approver", Source.CLI)
HOLD_ALL = RuleSet([Rule("hold", BUILT_IN, Verdict.ASK, Match(), "held, to be approved under the real rules")])


class ScriptedModel:
    """Asks for its calls one after the other, then says that it is done."""

    provider, model = "scripted", "probe"

    def __init__(self, calls: list[ToolUseBlock], skill: str | None) -> None:
        """Keep the calls, and the runbook they claim to come from."""
        self._calls = calls
        self._skill = skill

    def price(self, _usage: Usage) -> float | None:
        """Cost nothing."""
        return 0.0

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield the next turn."""
        answered = sum(isinstance(block, ToolResultBlock) for m in request.messages for block in m.blocks)
        left = self._calls[answered:]
        block = left[0] if left else TextBlock("done")
        yield Completion(
            message=Message("assistant", (block,)),
            usage=Usage(),
            stop_reason="tool_use" if left else "end_turn",
            provider=self.provider,
            model=self.model,
            cost_usd=0.0,
            skill=self._skill,
        )

    async def close(self) -> None:
        """Release nothing."""


def calls_of(ground: Ground, asked: Asked, *, primes: bool) -> list[ToolUseBlock]:
    """Give the calls of a run: the probe, and before it one that lets outside text in, if that is how it gets there."""
    primer = ground.primer(asked) if primes and asked.untrusted else None
    before = [] if primer is None else [ToolUseBlock(PRIMER, primer.tool, primer.arguments)]
    return [*before, ToolUseBlock(PROBE, asked.tool, asked.arguments)]


async def scripted(ground: Ground, asked: Asked, *, primes: bool) -> AgentLoop:
    """Give the loop with a model that asks for these calls."""
    loop = await ground.app.loop()
    return replace(loop, model=ScriptedModel(calls_of(ground, asked, primes=primes), asked.skill))


def put_runbook(ground: Ground, asked: Asked) -> str:
    """Put a runbook of these calls into the workspace; give its name."""
    name = asked.skill or "akili-probe"
    path = ground.app.state.workspace.runbooks_dir / f"{name}.md"
    path.write_text(_runbook_text(calls_of(ground, asked, primes=True)), encoding="utf-8")
    return name


def _runbook_text(calls: list[ToolUseBlock]) -> str:
    tools = json.dumps(sorted({call.name for call in calls}))
    head = f"---\nname: probe\nagent_role: executor\ncategory: probe\ntools_required: {tools}\n"
    head += "risk_level: low\ndefault_budget: 1\n---\n\n# Probe\n\n## Procedure\n"
    steps = (
        {"id": call.id, "title": call.id, "tool": call.name, "with": call.arguments, "on_fail": "stop"}
        for call in calls
    )
    return head + "".join(f"\n```yaml akili\n{json.dumps(step)}\n```\n" for step in steps)


def fresh(asked: Asked) -> Run:
    """Give a run of its own for a call."""
    return replace(asked.run(), id=new_uuid())


class SeenError(Exception):
    """Ends a run at the answer to its probe: nobody is there to rule on one that is held."""

    def __init__(self, step: StepResult) -> None:
        super().__init__(step.text)
        self.step = step


class ProbeSteps:
    """Steps of a run that go on until the probe is answered."""

    def __init__(self, run_id: str) -> None:
        """Begin a run of its own."""
        self.run_id = run_id

    async def step(self, _name: str, act: Callable[[], Awaitable[object]]) -> object:
        """Do it, and stop there if it was the probe."""
        kept = await act()
        call = kept.get("call") if isinstance(kept, dict) else None
        if isinstance(call, dict) and str(call["id"]).endswith(PROBE):
            raise SeenError(parse_step(kept))  # type: ignore[arg-type]  # a dict of text keys
        return kept

    async def sleep(self, _seconds: float) -> None:
        """Do not wait."""
