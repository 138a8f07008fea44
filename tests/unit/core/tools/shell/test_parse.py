from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.parse import Parser
from akili_cli.core.tools.shell.syntax import Group, Simple, UnreadableError


def test_every_command_of_a_line_is_found() -> None:
    parser = Parser("a | b && c; (d) & for x in 1; do e; done")
    parser.parse()
    assert [node.words[0].literal for node in parser.found if isinstance(node, Simple)] == ["a", "b", "c", "d", "e"]
    assert [node.kind for node in parser.found if isinstance(node, Group)] == ["subshell", "loop"]


def test_a_here_document_belongs_to_its_command() -> None:
    parser = Parser("cat <<E; b\n$(c)\nE\nd")
    parser.parse()
    assert [node.words[0].literal for node in parser.found if isinstance(node, Simple)] == ["cat", "b", "c", "d"]


@pytest.mark.parametrize(
    "text", ["a &>x b", "((a))", "12>x a", "{f}>x a", "a=(b)", "if a", "a )", "for ((;;)); do a; done"]
)
def test_a_doubtful_line_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError):
        Parser(text).parse()
