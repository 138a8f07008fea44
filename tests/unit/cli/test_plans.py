from __future__ import annotations

from typing import Any

import pytest

from akili_cli.cli.plans import plan_lines
from akili_cli.core.approvals.plans import Plan
from tests.unit.cli.test_card import APPROVAL


def plan(**changes: Any) -> dict[str, object]:
    from dataclasses import replace

    step = replace(APPROVAL, plan_index=1, **changes)
    made = Plan("plan-1", "default", "kim", "r", "do it", "f" * 64, "pending", 0.0, 300.0, (step,))
    return made.as_dict(lambda _tool: 0.5)


def test_an_empty_plan_says_so() -> None:
    assert plan_lines({"steps": []}) == ["The plan is empty: nothing would change."]


def test_a_step_shows_everything_a_ruling_needs() -> None:
    text = "\n".join(plan_lines(plan(untrusted=("stdin",))))
    for said in (
        "plan-1  (1 step, pending, expires 1970-01-01 00:05:00 UTC)",
        "f" * 64,
        "  1. shell_exec  risk high, CANNOT be undone, costs $0.5000",
        "    | systemctl restart web",
        "web1:/srv",
        "effects    commands systemctl restart web",
        "restart (config.yaml:7): services are asked for",
        "untrusted  in context: stdin",
        "cost       $0.5000",
    ):
        assert said in text


def test_a_write_is_shown_as_its_change() -> None:
    made = plan(tool="file_write", arguments={"path": "x", "content": "new\n"}, effects={"writes": ["/x"]})
    text = "\n".join(plan_lines(made, lambda tool, effects: f"old {tool} {effects['writes']}\n"))
    assert "-old file_write ['/x']" in text
    assert "+new" in text


@pytest.mark.parametrize("hidden", ["\r", "\x1b[2J", "\u202e", "\x0b", "\x85", "\u2028", "\u200b", "\U000e0041", "\t"])
def test_nothing_hidden_leaves_a_line_unseen(hidden: str) -> None:
    lines = plan_lines(plan(arguments={"command": f"ls{hidden}; rm x"}, because=f"so{hidden}so", host=f"h{hidden}"))
    assert all(line.isprintable() for line in lines)
    (line,) = (line for line in lines if "rm x" in line)
    assert "ls\\" in line
