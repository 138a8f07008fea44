from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.options import OptionSpec, split
from akili_cli.core.tools.shell.syntax import UnreadableError
from akili_cli.core.tools.shell.words import literal

SPEC = OptionSpec("v", "n", frozenset(("verbose",)), frozenset(("number",)), strict=True, permute=False)


def test_options_end_at_the_first_operand() -> None:
    args = split([literal(text) for text in ("-vn5", "--num", "6", "a", "-b")], SPEC)
    assert args.has("v")
    assert [token.plain for token in args.of(("n", "number"))] == ["5", "6"]
    assert [token.plain for token in args.operands] == ["a", "-b"]


@pytest.mark.parametrize("option", ["-x", "--other"])
def test_an_unknown_option_is_refused_when_strict(option: str) -> None:
    with pytest.raises(UnreadableError):
        split([literal(option)], SPEC)
