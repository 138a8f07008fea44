from __future__ import annotations

import pytest

from akili_cli.core.execution.understanding import understand
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import ToolCall
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError, ToolFailedError
from tests.fakes.actions import run_of
from tests.fakes.tools import Change, PathArgs


def broken(_args: PathArgs) -> Effects:
    raise ToolFailedError("the disk is gone", hint="look at it")


def test_a_call_becomes_the_action_of_its_tool() -> None:
    known = understand(ToolBox([Change()]), ToolCall("1", "change", {"path": "/x"}), run_of(), role="r", at=7.0)
    assert known.action.effects == Effects(writes=("/x",))
    assert (known.action.tool, known.action.role, known.action.at) == ("change", "r", 7.0)


@pytest.mark.parametrize(
    ("tool", "call"),
    [
        (Change(), ToolCall("1", "other", {"path": "/x"})),
        (Change(), ToolCall("1", "change", {"path": "/x", "more": 1})),
        (Change(), ToolCall("1", "change", {"path": "x"})),
        (Change(effects=broken), ToolCall("1", "change", {"path": "/x"})),
    ],
    ids=["unknown tool", "unknown argument", "refused by the tool", "effects that break"],
)
def test_what_cannot_be_understood_is_invalid(tool: Change, call: ToolCall) -> None:
    with pytest.raises(InvalidArgumentsError):
        understand(ToolBox([tool]), call, run_of(), role="r", at=0.0)
