from __future__ import annotations

import stat
from pathlib import Path

import pytest

from akili_cli.cli.repl_export import conversation_markdown, write_new
from akili_cli.domain.errors import ConflictError, UsageError
from akili_cli.domain.messages import Message, TextBlock, ToolResultBlock, ToolUseBlock

TALK = (
    Message("user", (TextBlock("disk?"), TextBlock("df ``` output", untrusted="stdin"))),
    Message("assistant", (TextBlock("I look."), ToolUseBlock("1", "shell_exec", {"command": "df"}))),
    Message("user", (ToolResultBlock("1", "14%\n"),)),
    Message("assistant", (TextBlock("It is fine.\x1b[2J"),)),
)


def test_a_conversation_is_told_in_order_with_calls_and_results() -> None:
    text = conversation_markdown("a talk", TALK)
    wanted = [
        "# a talk",
        "## You",
        "disk?",
        "untrusted (stdin)",
        "## akili",
        "I look.",
        "Used `shell_exec`",
        '"df"',
        "14%",
    ]
    places = [text.index(one) for one in wanted]
    assert places == sorted(places)
    assert text.count("## akili") == 1
    assert "It is fine.\\x1b[2J" in text


def test_a_fence_is_longer_than_any_inside() -> None:
    assert "````\ndf ``` output\n````" in conversation_markdown("t", TALK)


def test_a_call_that_was_no_json_and_a_refusal_are_shown() -> None:
    broken = (
        Message("assistant", (ToolUseBlock("1", "x", None, "{oops"),)),
        Message("user", (ToolResultBlock("1", "Refused: no", is_error=True),)),
    )
    text = conversation_markdown("t", broken)
    assert "{oops" in text
    assert "Refused or failed:" in text


def test_the_file_is_new_and_private(tmp_path: Path) -> None:
    write_new(tmp_path / "a.md", "text \udcff\n")
    assert stat.S_IMODE((tmp_path / "a.md").stat().st_mode) == 0o600
    with pytest.raises(ConflictError, match="not overwritten"):
        write_new(tmp_path / "a.md", "other")
    assert (tmp_path / "a.md").read_text().startswith("text")


@pytest.mark.parametrize("name", ["none/a.md", "nul\0.md", "x" * 300])
def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        write_new(tmp_path / name, "x")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.md").symlink_to(tmp_path / "b.md")
    with pytest.raises(ConflictError):
        write_new(tmp_path / "a.md", "x")
    assert not (tmp_path / "b.md").exists()
