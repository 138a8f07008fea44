from __future__ import annotations

import asyncio
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from akili_cli.cli.repl_markdown import MAX_BLOCK_CHARS, REFRESH_S, MarkdownStream, PlainStream, split_blocks


@pytest.mark.parametrize(
    ("text", "done", "rest"),
    [
        ("one\n\ntwo is longer than that", ["one\n"], "two is longer than that"),
        ("one\n\ntwo", [], "one\n\ntwo"),
        ("one\n\ntwo\n", ["one\n"], "two\n"),
        ("one\ntwo\n\n", [], "one\ntwo\n\n"),
        ("```\na\n\nb\n```\n\nnext line here", ["```\na\n\nb\n```\n"], "next line here"),
        ("```\na\n\nb\n\nc\n", [], "```\na\n\nb\n\nc\n"),
        ("- a\n\n- b\n\n  more of b\n\nnext line here", ["- a\n\n- b\n\n  more of b\n"], "next line here"),
        ("1. a\n\n2. b\n\nnext line here", ["1. a\n\n2. b\n"], "next line here"),
        ("text\n\n    indented code line", [], "text\n\n    indented code line"),
        ("", [], ""),
    ],
    ids=["two", "undecided", "decided", "end-open", "fence", "open-fence", "list", "numbers", "indented", "empty"],
)
def test_blocks_end_where_nothing_to_come_can_change_them(text: str, done: list[str], rest: str) -> None:
    assert split_blocks(text) == (done, rest)


def test_an_endless_block_is_cut_and_its_fence_closed_and_opened_anew() -> None:
    done, rest = split_blocks("```py\n" + "x = 1\n" * MAX_BLOCK_CHARS)
    assert len(done) > 1
    assert all(block.startswith("```py\n") and block.endswith("```\n") for block in done)
    assert rest.startswith("```py\n")
    assert len(rest) <= MAX_BLOCK_CHARS


def test_an_endless_line_is_cut() -> None:
    done, rest = split_blocks("x" * (3 * MAX_BLOCK_CHARS))
    assert "".join([*done, rest]) == "x" * (3 * MAX_BLOCK_CHARS)


@given(st.lists(st.sampled_from(["a", "\n", "\n\n", "- b", "```", "    c", "1. d", "~~~", "é", "# e"]), max_size=60))
def test_no_character_is_lost_but_blank_lines(pieces: list[str]) -> None:
    text = "".join(pieces)
    done, rest = split_blocks(text)
    kept = "".join([*done, rest])
    assert kept.replace("\n", "") == text.replace("\n", "")


async def streamed(pieces: list[str], *, pause_s: float = 0.0) -> str:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=60, height=20, color_system=None, _environ={})
    stream = MarkdownStream(console)
    stream.wait("thinking")
    for piece in pieces:
        stream.feed(piece)
        await asyncio.sleep(pause_s)
    stream.finish()
    return screen.getvalue()


def replayed(output: str) -> list[str]:
    """Play what was written on a screen that knows the few controls that are used."""
    rows, at = [""], 0
    for part in output.replace("\x1b[", "\0\x1b[").split("\0"):
        text = part
        if part.startswith("\x1b["):
            end = next(i for i, char in enumerate(part[2:], 2) if char.isalpha())
            number, control, text = part[2:end], part[end], part[end + 1 :]
            match control:
                case "A":
                    at -= int(number or 1)
                case "K":
                    rows[at] = ""
                case _:
                    pass
            assert at >= 0
        for index, line in enumerate(text.split("\n")):
            if index:
                at += 1
                if at == len(rows):
                    rows.append("")
            rows[at] += line.rsplit("\r", 1)[-1] if not line.endswith("\r") else ""
    return [row.strip() for row in rows if row.strip()]


@pytest.mark.parametrize("pause_s", [0.0, REFRESH_S * 1.3], ids=["at-once", "redrawn"])
async def test_the_screen_ends_with_each_block_once_and_no_waiting_words(pause_s: float) -> None:
    pieces = ["# Head\n\nfirst ", "para", "graph\n\n- one\n", "- two\n\nlast ", "words"]
    assert replayed(await streamed(pieces, pause_s=pause_s)) == [
        "Head",
        "first paragraph",
        "• one",
        "• two",
        "last words",
    ]


async def test_a_block_taller_than_the_screen_is_whole_at_the_end() -> None:
    lines = replayed(await streamed([f"- item {n}\n" for n in range(40)], pause_s=REFRESH_S / 4))
    assert lines[-40:] == [f"• item {n}" for n in range(40)]


async def test_control_characters_of_a_model_stay_text() -> None:
    output = await streamed(["a \x1b]0;title\x07 b \x1b[2J c"])
    assert "\x1b]0" not in output
    assert "\x1b[2J" not in output


def test_plain_text_is_written_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    stream = PlainStream()
    stream.wait("thinking")
    for piece in ("**a** ", "b\r\n", "c\x1b[2J"):
        stream.feed(piece)
    stream.finish()
    stream.finish()
    assert capsys.readouterr().out == "**a** b\nc\\x1b[2J\n"
