from __future__ import annotations

import pytest

from akili_cli.cli.repl_view import MIN_COLUMNS, RunView, columns, facts_line
from akili_cli.domain.events import Event

REPORT: dict[str, object] = {
    "status": "ok",
    "answer": "All good.",
    "error": None,
    "approvals": [],
    "steps": [{}],
    "usage": {"input_tokens": 1000, "output_tokens": 500},
    "cost_usd": 0.25,
    "correlation_id": "abc",
    "conversation_id": "conv",
}


def step(number: int, **more: object) -> dict[str, object]:
    return {"call_id": f"c{number}", "tool": "shell_exec", "arguments": {"command": f"echo {number}"}, **more}


def watched(*events: tuple[str, dict[str, object]]) -> RunView:
    view = RunView()
    for name, data in events:
        view(Event(name, data))  # type: ignore[arg-type]  # names of events
    return view


def test_a_run_shows_its_steps_then_its_answer_and_what_it_cost(capsys: pytest.CaptureFixture[str]) -> None:
    view = watched(
        ("run.started", {"conversation_id": "conv"}),
        ("tool.intent", step(1)),
        ("tool.result", step(1, status="ok", text="1")),
        ("text", {"text": "All "}),
        ("text", {"text": "good."}),
        ("run.finished", REPORT),
    )
    shown = capsys.readouterr()
    assert shown.out == "All good.\n"
    assert "[1] shell_exec echo 1" in shown.err
    assert "[1 step, 1,500 tokens, $0.2500, abc]" in shown.err
    assert view.conversation == "conv"
    assert view.answer == "All good."
    assert view.steps[0]["text"] == "1"


def test_an_answer_that_was_not_streamed_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    watched(("run.finished", REPORT))
    assert capsys.readouterr().out == "All good.\n"


def test_results_of_calls_side_by_side_go_to_their_own_steps() -> None:
    view = watched(
        ("tool.intent", step(1)),
        ("tool.intent", step(2)),
        ("tool.result", step(2, status="ok", text="two")),
        ("tool.result", step(1, status="ok", text="one")),
    )
    assert [one["text"] for one in view.steps] == ["one", "two"]


def test_a_refusal_a_waiting_call_and_an_error_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = {"id": "1234567890", "tool": "file_write", "arguments": {"path": "x"}, "risk": "medium"}
    watched(
        ("tool.intent", step(1)),
        ("tool.result", step(1, status="denied", text="Refused: a rule\nmore")),
        ("run.finished", {**REPORT, "status": "failed", "answer": "", "approvals": [waiting], "error": "no luck"}),
    )
    said = capsys.readouterr().err
    assert "[1] denied: Refused: a rule\n" in said
    assert "/approve 12345678" in said
    assert "failed: no luck" in said


def test_the_first_line_of_an_error_is_not_its_label(capsys: pytest.CaptureFixture[str]) -> None:
    watched(("tool.intent", step(1)), ("tool.result", step(1, status="failed", text="[stderr]\nno such unit")))
    assert "[1] failed: no such unit" in capsys.readouterr().err


def test_an_interrupted_run_keeps_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    view = watched(("text", {"text": "half an"}), ("run.finished", {**REPORT, "status": "interrupted", "answer": ""}))
    assert view.answer == "half an"
    assert capsys.readouterr().err == ""


def test_an_unpriced_run_says_so() -> None:
    assert facts_line({**REPORT, "cost_usd": None, "steps": []}) == "[1,500 tokens, unpriced, abc]"


def test_a_narrow_terminal_still_has_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1")
    assert columns() == MIN_COLUMNS
