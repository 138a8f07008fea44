from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from akili_cli.core.agent.guards import Guards
from akili_cli.core.agent.journal import NoJournal
from akili_cli.core.agent.settings import AgentSettings
from akili_cli.core.agent.turn import CUT_OFF, TurnRunner, shortened
from akili_cli.domain.calls import Status, ToolOutput
from akili_cli.domain.decisions import Permit
from akili_cli.domain.events import Event, silent
from akili_cli.domain.messages import ToolResultBlock
from tests.fakes.models import unread, use
from tests.fakes.tools import Change, Look, PathArgs
from tests.fakes.wiring import open_bench, run_by


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 100, "short"),
        ("x" * 100, 100, "x" * 100),
        ("a" * 50 + "b" * 100 + "c" * 50, 100, "a" * 50 + "\n[... 100 bytes left out ...]\n" + "c" * 50),
    ],
    ids=["short", "just fits", "long"],
)
def test_a_long_result_keeps_its_head_and_tail(text: str, limit: int, expected: str) -> None:
    assert shortened(text, limit) == expected


def test_a_cut_never_leaves_half_a_character() -> None:
    assert "\ufffd" not in shortened("\u20ac" * 1000, 256)
    shortened("\ud800" * 1000, 256).encode()


async def play(
    tmp_path: Path, *uses: object, tools: tuple[Look | Change, ...], cut_off: bool = False, **settings: object
) -> tuple[list[ToolResultBlock], list[Event], tuple[str, ...]]:
    chosen = AgentSettings.model_validate(settings)
    events: list[Event] = []
    async with open_bench(tmp_path, tools) as bench:
        runner = TurnRunner(bench.pipeline, chosen, events.append, NoJournal(), asyncio.timeout(None))
        turn = await runner.play(uses, run_by(), Guards(chosen), reason="", cut_off=cut_off, number=1)  # type: ignore[arg-type]
    assert turn.message.role == "user"
    return [b for b in turn.message.blocks if isinstance(b, ToolResultBlock)], events, turn.run.untrusted


async def test_every_use_gets_exactly_one_answer_in_order(tmp_path: Path) -> None:
    answers, _, _ = await play(
        tmp_path, use(id="a"), unread("{", id="b"), use("nosuch", id="c"), use(id="d"), tools=(Look(),), max_steps=3
    )
    assert [answer.tool_use_id for answer in answers] == ["a", "b", "c", "d"]
    assert [answer.is_error for answer in answers] == [False, True, True, True]


async def test_a_turn_that_was_cut_off_runs_nothing(tmp_path: Path) -> None:
    look = Look()
    answers, _, _ = await play(tmp_path, use(id="a"), use(id="b"), tools=(look,), cut_off=True)
    assert [answer.text for answer in answers] == [CUT_OFF, CUT_OFF]
    assert look.ran == 0


async def test_an_exit_code_is_told_to_the_model(tmp_path: Path) -> None:
    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        return ToolOutput("oops", ok=False, metadata={"exit_code": 3})

    (answer,), events, _ = await play(tmp_path, use(), tools=(Look(act),))
    assert (answer.text, answer.is_error) == ("oops\n[exit 3]", True)
    assert events[-1].data["exit_code"] == 3


async def test_what_was_read_outside_taints_the_run_once(tmp_path: Path) -> None:
    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        return ToolOutput("x", untrusted="web example.org")

    _, _, untrusted = await play(tmp_path, use(id="a"), use(path="/b", id="b"), tools=(Look(act),))
    assert untrusted == ("web example.org",)


async def test_results_too_long_for_a_model_are_shortened_for_it(tmp_path: Path) -> None:
    async def act(args: PathArgs, permit: Permit) -> ToolOutput:
        return ToolOutput("y" * 10_000)

    (answer,), events, _ = await play(tmp_path, use(), tools=(Look(act),), max_result_bytes=256)
    assert "9744 bytes left out" in answer.text
    assert events[-1].data["text"] == "y" * 10_000


async def test_each_call_is_told_before_and_after(tmp_path: Path) -> None:
    _, events, _ = await play(tmp_path, use("change", id="a"), use(id="b"), tools=(Look(), Change()))
    assert [(e.name, e.data["call_id"]) for e in events] == [
        ("tool.intent", "a"),
        ("tool.result", "a"),
        ("tool.intent", "b"),
        ("tool.result", "b"),
    ]
    assert events[1].data["status"] == Status.OK
    assert silent(events[0]) is None
