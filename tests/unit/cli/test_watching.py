from __future__ import annotations

import json
from dataclasses import replace

import pytest

from akili_cli.cli.question import Output, Question
from akili_cli.cli.watching import TextWatcher, tell_unbegun, watcher
from akili_cli.core.agent.report import RunReport
from akili_cli.core.approvals.request import as_card
from akili_cli.domain.calls import Status, StepResult, ToolCall
from akili_cli.domain.decisions import BUILT_IN, Decision, RuleHit, Verdict
from akili_cli.domain.events import Event
from akili_cli.domain.risk import Risk
from tests.unit.cli.test_card import APPROVAL


def step(status: Status, text: str = "told") -> StepResult:
    decision = Decision(Verdict.ASK, Risk.HIGH, (RuleHit("r", BUILT_IN, Verdict.ASK, "why"),))
    return StepResult(ToolCall("c", "look", {"path": "/x"}), status, text, "a", decision, approval_id="ab" * 16)


def finished(report: RunReport) -> Event:
    return Event("run.finished", report.as_dict())


def test_the_answer_is_on_stdout_and_the_facts_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    TextWatcher(stream=False)(finished(RunReport(Status.OK, "all well", "corr", "r", conversation_id="conv")))
    out, err = capsys.readouterr()
    assert out == "all well\n"
    assert err == "[correlation_id=corr conversation_id=conv tokens=0 cost=$0.0000]\n"


def test_a_streamed_answer_is_not_printed_twice(capsys: pytest.CaptureFixture[str]) -> None:
    watch = TextWatcher(stream=True)
    for piece in ("all ", "well\x1b"):
        watch(Event("text", {"text": piece}))
    watch(finished(RunReport(Status.OK, "all well\x1b", "c", "r")))
    assert capsys.readouterr().out == "all well\\x1b\n"


def test_text_is_not_streamed_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    TextWatcher(stream=False)(Event("text", {"text": "early"}))
    assert capsys.readouterr() == ("", "")


def test_refusals_waits_and_errors_are_all_said(capsys: pytest.CaptureFixture[str]) -> None:
    report = RunReport(
        Status.APPROVAL_REQUIRED,
        "",
        "c",
        "r",
        steps=(step(Status.DENIED, "Refused: no\x07"),),
        cards=(as_card(replace(APPROVAL, arguments={"command": "df -h"})),),
        cost_usd=None,
        error="it stopped",
    )
    TextWatcher(stream=False)(finished(report))
    out, err = capsys.readouterr()
    assert out == ""
    assert "no\\x07" in err
    assert "waiting for approval 1a2b3c4d (high): shell_exec df -h" in err
    assert "akili approvals show 1a2b3c4d; akili approvals approve 1a2b3c4d" in err
    assert "approval_required: it stopped" in err
    assert "cost=unpriced" in err


@pytest.mark.parametrize("text", ["", "\n", "first\nsecond", "\x1b[2J"])
def test_a_step_that_did_not_work_is_said_in_a_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    watch = TextWatcher(stream=False)
    watch(Event("tool.intent", {"tool": "look", "arguments": {"path": "/x"}}))
    watch(Event("tool.result", {"status": "failed", "text": text}))
    out, err = capsys.readouterr()
    assert out == ""
    assert "look" in err
    assert "second" not in err
    assert "\x1b" not in err


def test_json_prints_one_object_at_the_end_and_jsonl_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    events = [
        Event("run.started", {"a": 1}),
        Event("text", {"text": "x\ny"}),
        finished(RunReport(Status.OK, "x", "c", "r")),
    ]
    for event in events:
        watcher(Question(message="m", output="json"))(event)
    assert json.loads(capsys.readouterr().out)["schema"] == "akili.run/1"
    for event in events:
        watcher(Question(message="m", output="jsonl"))(event)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["run.started", "text", "run.finished"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"command": "ls " + "x" * 200},
        {"command": "ls\nrm -rf /"},
        {"command": "ls" + " " * 80 + "; rm x"},
        {"command": "ls \u202e"},
        {"command": "ls \r"},
        {"command": "ls", "working_dir": "/srv"},
        {"path": "x", "content": "y"},
        {"args": ["a"]},
        {},
    ],
    ids=["long", "lines", "spaces", "bidi", "carriage", "two", "content", "list", "none"],
)
def test_what_is_cut_or_hidden_in_its_line_is_not_offered_for_a_yes(
    arguments: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    cards = (as_card(replace(APPROVAL, arguments=arguments)),)
    TextWatcher(stream=False)(finished(RunReport(Status.APPROVAL_REQUIRED, "", "c", "r", cards=cards)))
    err = capsys.readouterr().err
    assert "approvals show 1a2b3c4d shows it whole" in err
    assert "approvals approve" not in err


@pytest.mark.parametrize("output", ["json", "jsonl", "text"])
def test_a_program_is_told_that_nothing_had_begun_and_a_person_is_told_later(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_unbegun(output)
    out = capsys.readouterr().out
    if output == "text":
        assert out == ""
    else:
        told = json.loads(out)
        assert (told["status"], told["error"]) == ("interrupted", "interrupted before the run began")
