from __future__ import annotations

import pytest

from akili_cli.domain.messages import ToolResultBlock
from akili_cli.features.runbooks.model import Step
from akili_cli.features.runbooks.outcome import Outcome, read_result, split_output


def read(text: str, *, is_error: bool = False, **step: object) -> Outcome:
    made = Step.model_validate({"id": "a", "tool": "shell_exec", "capture": {"kind": "lines"}, **step})
    return read_result(made, ToolResultBlock("x", text, is_error), None)


def lines(outcome: Outcome) -> list[object]:
    return [row.cells["line"] for row in outcome.rows]


def test_plain_output_is_judged_as_it_is() -> None:
    outcome = read("one\ntwo")
    assert (outcome.status, outcome.reason, lines(outcome)) == ("ok", "", ["one", "two"])


def test_the_marks_of_the_tool_are_no_rows() -> None:
    assert lines(read("[no output]")) == []
    assert lines(read("one\n[exit code 1]\n[exit 1]", is_error=True, ok_exits=[0, 1])) == ["one"]


def test_complaints_beside_an_output_are_a_reservation_and_no_rows() -> None:
    outcome = read("/a\n[stderr]\nfind: /b: Permission denied")
    assert (outcome.status, lines(outcome)) == ("ok", ["/a"])
    assert outcome.reason == "in part: find: /b: Permission denied"


@pytest.mark.parametrize(
    "mark",
    ["[the output was too long: its middle is missing]", "[... 5 bytes left out ...]", "[cut: bytes 0 to 5 shown]"],
)
def test_a_cut_output_is_a_reservation(mark: str) -> None:
    outcome = read(f"one\n{mark}\ntwo")
    assert lines(outcome) == ["one", "two"]
    assert "too long" in outcome.reason


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        (
            "[stderr]\nsh: 1: ss: not found\n[exit code 127: a program was not found]\n[exit 127]",
            "not_checked",
            "sh: 1: ss: not found",
        ),
        ("[stopped after the timeout of 10 s]\n[exit -9]", "failed", "exit -9: stopped after the timeout of 10 s"),
        (
            "permission denied is only in a log line\n[stderr]\nbad option\n[exit code 2]\n[exit 2]",
            "failed",
            "exit 2: bad option",
        ),
        ("[exit code 3]\n[exit 3]", "failed", "exit 3: exit code 3"),
        ("/x does not exist", "not_checked", "/x does not exist"),
    ],
)
def test_a_failure_is_told_in_the_programs_own_words(text: str, status: str, reason: str) -> None:
    outcome = read(text, is_error=True)
    assert (outcome.status, outcome.reason, outcome.rows) == (status, reason, ())


def test_only_the_last_mark_splits_so_that_output_cannot_hide_real_complaints() -> None:
    output = split_output(ToolResultBlock("x", "a\n[stderr]\nb\n[stderr]\nc"))
    assert (output.text, output.complaints) == ("a\n[stderr]\nb", "c")
    assert split_output(ToolResultBlock("x", "a\n[stderr]\nb")).complaints == "b"


def test_what_cannot_be_seen_is_looked_for_in_both_streams() -> None:
    step = {"not_checked_when": ["no journal files"], "not_checked": "no journal"}
    assert read("-- No entries --\n[stderr]\nNo journal files were found.", **step).reason == "no journal"
    assert read("No Journal Files were found.", **step).status == "not_checked"
