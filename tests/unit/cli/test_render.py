from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akili_cli.cli import options, render
from akili_cli.domain.errors import AkiliError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("gr\u00fc\u00dfe \u65e5\u672c \U0001f600", "gr\u00fc\u00dfe \u65e5\u672c \U0001f600"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\rb", "a\\x0db"),
        ("a\x08b\x7f", "a\\x08b\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eevil", "\\u202eevil"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("a\u200bb\ufeffc\u00ad", "a\\u200bb\\ufeffc\\xad"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\u3164\u115f\u2800", "\\u3164\\u115f\\u2800"),
    ],
    ids=repr,
)
def test_what_hides_or_moves_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert render.safe(text) == shown


@given(st.text())
def test_nothing_hidden_is_left(text: str) -> None:
    for char in render.safe(text):
        assert char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def test_out_and_talk_go_to_their_own_streams(capsys: pytest.CaptureFixture[str]) -> None:
    render.out("answer\x07")
    render.talk("talk\x07", "red")
    render.raw_out("piece")
    assert capsys.readouterr() == ("answer\\x07\npiece", "talk\\x07\n")


def test_json_is_one_ascii_line_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    render.out_json({"a": "\u00fc\n\x1b", "b": [1]})
    render.event_line({"a": 1})
    first, second, rest = capsys.readouterr().out.split("\n")
    assert json.loads(first) == {"a": "\u00fc\n\x1b", "b": [1]}
    assert first.isascii()
    assert (json.loads(second), rest) == ({"a": 1}, "")


def test_a_table_is_aligned_and_its_cells_cannot_break_out(capsys: pytest.CaptureFixture[str]) -> None:
    render.out_table(("A", "B"), [("x", "long\ncell"), ("\x1b[2J", 5)])
    assert capsys.readouterr().out == "A        B\nx        long\\ncell\n\\x1b[2J  5\n"
    render.out_table(("A", "B"), [])
    render.out_fields({"name": 1, "n": "x"})
    assert capsys.readouterr().out == "A  B\nname  1\nn     x\n"


@pytest.mark.parametrize(
    ("color", "env", "tty", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
    ids=str,
)
def test_colour_follows_flag_environment_and_terminal(
    color: str, env: dict[str, str], tty: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return tty

    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(options.given, "color", color)
    assert render.has_color(Stream()) is expected
    assert render.paint("x", "red", Stream()) == ("\x1b[31mx\x1b[0m" if expected else "x")


def test_markdown_stays_as_it_is_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    render.out_markdown("# head\n\n*x*")
    assert capsys.readouterr().out == "# head\n\n*x*\n"


def test_what_an_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", errors="strict"))
    render.out("gr\u00fc\u00dfe")
    assert raw.getvalue() == b"gr\\xfc\\xdfe\n"


def test_a_full_disk_under_stdout_is_an_error_and_under_stderr_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as out, open("/dev/full", "w") as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        render.talk("lost")
        with pytest.raises(AkiliError, match="No space left"):
            render.out("answer")
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("text", "width", "shown"), [("a  b\nc", 10, "a b c"), ("abcdef", 5, "ab..."), ("abc", 3, "abc"), ("abc", 0, "...")]
)
def test_a_line_is_fitted(text: str, width: int, shown: str) -> None:
    assert render.fitting(text, width) == shown
