from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.parse import Parser
from akili_cli.core.tools.shell.syntax import UnreadableError


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("rm", "rm"),
        ("r\\m", "rm"),
        ("'r'\"m\"", "rm"),
        ('"a\\b"', "a\\b"),
        ('"a\\$b"', "a$b"),
        ("a#b", "a#b"),
        ("$x", None),
    ],
)
def test_a_word_loses_its_quotes(text: str, literal: str | None) -> None:
    word = Parser(text).word()
    assert word is not None
    assert word.literal == literal


@pytest.mark.parametrize("text", ["'a", '"a', "`a", "$(a", "${x", "$[1]", "a\\\nb", "$((a[1]))", "$'\\''x'"])
def test_what_shells_read_differently_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        Parser(text).word()
