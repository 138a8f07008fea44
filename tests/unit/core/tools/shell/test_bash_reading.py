from __future__ import annotations

from akili_cli.core.tools.shell.bash_reading import read_as_bash


def test_the_second_reader_names_plain_commands() -> None:
    reading = read_as_bash("ls | $(rm x) && $y")
    assert reading.sound
    assert reading.names == {"ls", "rm"}


def test_the_second_reader_says_when_a_text_makes_no_sense() -> None:
    assert not read_as_bash("if ( ls").sound
