from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import ToolCall
from akili_cli.domain.errors import ConflictError, InvalidArgumentsError
from tests.fakes.tools import Change, Look, PathArgs

BOX = ToolBox((Look(), Change()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


def test_a_call_is_parsed_by_its_own_tool() -> None:
    tool, args = BOX.parse(ToolCall("c", "look", {"path": "/x"}))
    assert tool.name == "look"
    assert args == PathArgs(path="/x")


def test_names_and_tools_come_in_their_order() -> None:
    assert BOX.names() == ("look", "change")
    assert [tool.name for tool in BOX] == ["look", "change"]  # type: ignore[attr-defined]


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ConflictError, match="two tools are named look"):
        ToolBox((Look(), Look()))


@pytest.mark.parametrize("name", ["", "LOOK", "look ", "__init__", "look\0", "x" * 100_000])
def test_an_unknown_tool_names_the_known_ones(name: str) -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        BOX.get(name)
    assert caught.value.hint == "tools: look, change"
    assert len(str(caught.value)) < 300


def test_every_wrong_field_is_named() -> None:
    with pytest.raises(InvalidArgumentsError) as caught:
        BOX.parse(ToolCall("c", "look", {"path": 5, "more": 1}))
    assert "path: " in str(caught.value)
    assert "more: " in str(caught.value)


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=4))
def test_no_arguments_break_the_parser(arguments: dict[str, object]) -> None:
    try:
        BOX.parse(ToolCall("c", "look", arguments))
    except InvalidArgumentsError:
        return
    assert set(arguments) == {"path"}


def test_a_tool_looks_to_a_model_as_its_parser_reads_it() -> None:
    look, _ = BOX.specs()
    assert (look.name, look.description) == ("look", "A tool of the tests.")
    assert look.schema["required"] == ["path"]
    assert look.schema["additionalProperties"] is False
