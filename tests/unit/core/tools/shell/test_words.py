from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.parse import Parser
from akili_cli.core.tools.shell.words import Token, tokenise


def token(text: str) -> Token:
    word = Parser(text).word()
    assert word is not None
    return tokenise(word, "/home/op")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~/x", "/home/op/x"),
        ("~", "/home/op"),
        ("'~'", "~"),
        ("a{b}", "a{b}"),
        ("{a,b}", None),
        ("~+", None),
        ("$x", None),
    ],
)
def test_a_token_is_the_text_the_program_gets(text: str, expected: str | None) -> None:
    assert token(text).plain == expected


def test_a_glob_keeps_its_literal_parent() -> None:
    assert token("/etc/*.conf").parent == "/etc/"
    assert token("*").parent == "."
    assert token("'*'").parent is None
