from __future__ import annotations

from akili_cli.core.tools.shell.syntax import Part, Word


def test_a_word_joins_its_literal_parts() -> None:
    assert Word("r'm'", (Part("r"), Part("m", quoted=True))).literal == "rm"


def test_a_word_with_a_computed_part_has_no_literal() -> None:
    word = Word("r$x", (Part("r"), Part(None)))
    assert word.literal is None
    assert word.unquoted == "r"
