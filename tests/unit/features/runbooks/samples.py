"""Small runbooks for tests, written as people write them."""

from __future__ import annotations

from collections.abc import Callable

from akili_cli.domain.messages import Message, TextBlock, ToolResultBlock, ToolUseBlock
from akili_cli.features.runbooks.inputs import resolve_inputs
from akili_cli.features.runbooks.model import Runbook
from akili_cli.features.runbooks.play import Player
from akili_cli.features.runbooks.report import FinalReport
from akili_cli.features.runbooks.source import parse_runbook

FRONT = """---
name: Sample
agent_role: executor
category: test
tools_required: [shell_exec]
risk_level: low
default_budget: 0.5
{extra}---
"""


def step_text(yaml: str) -> str:
    return f"\n```yaml akili\n{yaml.strip()}\n```\n"


def runbook_text(*steps: str, extra: str = "", prose: str = "# Sample\n") -> str:
    return FRONT.format(extra=extra) + prose + "".join(step_text(step) for step in steps)


def runbook(*steps: str, extra: str = "", prose: str = "# Sample\n") -> Runbook:
    return parse_runbook(runbook_text(*steps, extra=extra, prose=prose), path="sample.md")


Answer = tuple[str, bool] | str


def play(
    book: Runbook, answer: Callable[[ToolUseBlock], Answer], inputs: dict[str, object] | None = None
) -> tuple[FinalReport, list[list[str]]]:
    """Play to the end; gives the report and the ids of each turn's calls."""
    player = Player(book, resolve_inputs(book.front.inputs, inputs or {}))
    messages = [Message("user", (TextBlock("go"),))]
    turns: list[list[str]] = []
    for _ in range(50):
        wanted = player.next(messages)
        if isinstance(wanted, FinalReport):
            return wanted, turns
        turns.append([use.id for use in wanted])
        results = []
        for use in wanted:
            given = answer(use)
            text, bad = (given, False) if isinstance(given, str) else given
            results.append(ToolResultBlock(use.id, text, bad))
        messages += [Message("assistant", wanted), Message("user", tuple(results))]
    raise AssertionError("the play never ended")
