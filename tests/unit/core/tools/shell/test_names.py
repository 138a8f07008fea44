from __future__ import annotations

from akili_cli.core.tools.shell.names import names


def test_names_are_the_words_of_a_text() -> None:
    assert names("a b") == {"a", "b"}
