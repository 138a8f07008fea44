from __future__ import annotations

from akili_cli.bootstrap.tools import TOOL_NAMES
from akili_cli.core.tools.toolbox import ToolBox
from tests.fakes.tools import Look


def test_the_built_in_tools_are_these() -> None:
    assert {"shell_exec", "file_read", "file_write", "git_read", "web_fetch"} <= set(TOOL_NAMES)
    assert len(set(TOOL_NAMES)) == len(TOOL_NAMES)


def test_a_box_is_only_what_was_put_in() -> None:
    assert ToolBox((Look(),)).names() == ("look",)
