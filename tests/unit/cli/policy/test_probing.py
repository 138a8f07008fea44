from __future__ import annotations

import pytest

from akili_cli.bootstrap.rulings import Asked
from akili_cli.cli.policy.probing import PROBE, ProbeSteps, ScriptedModel, SeenError, fresh
from akili_cli.core.agent.journal import step_as_dict
from akili_cli.domain.calls import Status, StepResult, ToolCall
from akili_cli.domain.messages import Completion, Message, ModelRequest, TextBlock, ToolResultBlock, ToolUseBlock

ASKED = Asked(tool="shell_exec", arguments={"command": "id"}, user="ann")


async def turn(model: ScriptedModel, *messages: Message) -> Completion:
    (event,) = [one async for one in model.stream(ModelRequest("", messages))]
    assert isinstance(event, Completion)
    return event


async def test_a_scripted_model_asks_for_its_calls_one_by_one_and_ends() -> None:
    model = ScriptedModel([ToolUseBlock(PROBE, "shell_exec", {})], "book")
    first = await turn(model, Message("user", (TextBlock("q"),)))
    assert (first.message.blocks[0], first.skill) == (ToolUseBlock(PROBE, "shell_exec", {}), "book")
    last = await turn(model, Message("user", (ToolResultBlock(PROBE, "done"),)))
    assert last.stop_reason == "end_turn"


async def test_a_run_ends_at_the_answer_to_its_probe_and_not_before() -> None:
    async def act(call_id: str) -> object:
        return step_as_dict(StepResult(ToolCall(call_id, "shell_exec"), Status.DENIED, "no", "a-1"))

    steps = ProbeSteps("run-1")
    assert await steps.step("1", lambda: act("primer"))
    with pytest.raises(SeenError) as caught:
        await steps.step("2", lambda: act(f"x-{PROBE}"))
    assert caught.value.step.status is Status.DENIED


def test_each_run_is_one_of_its_own() -> None:
    assert fresh(ASKED).id != fresh(ASKED).id
    assert fresh(ASKED).principal == ASKED.run().principal
