from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import open_sqlite
from akili_cli.core.agent.history import History
from akili_cli.core.agent.rulings import tell_outcome, tell_refusal
from akili_cli.core.agent.settings import MemorySettings
from akili_cli.domain.calls import Status, StepResult, ToolCall
from akili_cli.domain.messages import Message, TextBlock, ToolResultBlock, ToolUseBlock
from tests.fakes.clock import FakeClock
from tests.unit.cli.test_card import APPROVAL

STEP = StepResult(ToolCall("call-1", "look"), Status.OK, "it went well", "a-1", untrusted="file /x")


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[History]:
    db = await open_sqlite(tmp_path / "akili.db")
    yield History(db, "default", FakeClock(), MemorySettings.model_validate({}))
    await db.close()


async def waiting(history: History) -> str:
    conversation = await history.create("kim")
    asked = Message("user", (TextBlock("q"),))
    used = Message("assistant", (ToolUseBlock("call-1", "look", {}),))
    held = Message("user", (ToolResultBlock("call-1", "Waiting for approval"),))
    await history.append(conversation, "kim", (asked, used, held))
    return conversation


async def result(history: History, conversation: str) -> ToolResultBlock:
    (block,) = (await history.load(conversation, "kim"))[-1].blocks
    assert isinstance(block, ToolResultBlock)
    return block


async def test_a_conversation_learns_what_came_of_a_call(history: History) -> None:
    conversation = await waiting(history)
    approval = replace(APPROVAL, call_id="call-1", conversation_id=conversation)
    assert await tell_outcome(history, approval, STEP) == ""
    assert await result(history, conversation) == ToolResultBlock("call-1", "it went well", False, "file /x")


@pytest.mark.parametrize(("feedback", "words"), [(None, "ann said no"), ("not today", "ann said no: not today")])
async def test_a_conversation_learns_of_a_denial(history: History, feedback: str | None, words: str) -> None:
    conversation = await waiting(history)
    approval = replace(APPROVAL, call_id="call-1", conversation_id=conversation, resolved_by="ann", feedback=feedback)
    assert await tell_refusal(history, approval) == ""
    assert await result(history, conversation) == ToolResultBlock("call-1", f"Refused: {words}", True)


async def test_a_run_that_waits_writes_its_own_conversation(history: History) -> None:
    conversation = await waiting(history)
    approval = replace(APPROVAL, call_id="call-1", conversation_id=conversation, waits=True)
    assert await tell_outcome(history, approval, STEP) == ""
    assert (await result(history, conversation)).text == "Waiting for approval"


async def test_a_conversation_that_is_gone_is_said_and_no_error(history: History) -> None:
    approval = replace(APPROVAL, conversation_id="12345678-1234-1234-1234-123456789012")
    assert (await tell_outcome(history, approval, STEP)).startswith("the conversation does not learn of it: no conv")


async def test_without_a_conversation_nobody_is_told(history: History) -> None:
    assert await tell_outcome(history, replace(APPROVAL, conversation_id=None), STEP) == ""
    assert await tell_outcome(None, replace(APPROVAL, conversation_id="x"), STEP) == ""
