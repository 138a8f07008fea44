from __future__ import annotations

import pytest

from akili_cli.domain.messages import Message, TextBlock, ToolResultBlock, ToolUseBlock
from akili_cli.features.runbooks.model import StepStatus
from akili_cli.features.runbooks.play import Player, last_turn
from akili_cli.features.runbooks.report import FinalReport
from tests.unit.features.runbooks.samples import Answer, play, runbook

LINES = "capture: {kind: lines}"
A = f"id: a\ntool: shell_exec\nwith: {{command: cat a}}\n{LINES}\nfacts: [{{label: A, say: '{{line}}'}}]"
B = f"id: b\ntool: shell_exec\nwith: {{command: cat b}}\n{LINES}"
BAD = "findings: [{column: line, op: contains, value: bad, severity: warning, say: 'bad {line}'}]"


def step_of(use: ToolUseBlock) -> str:
    return use.id.removeprefix("rb-sample-")


def statuses(report: FinalReport) -> dict[str, str]:
    return {one.step: str(one.status) for one in report.not_checked}


def test_independent_steps_are_asked_for_at_once_and_judged() -> None:
    report, turns = play(runbook(A, f"{B}\n{BAD}"), lambda use: f"bad {step_of(use)}")
    assert turns == [["rb-sample-a", "rb-sample-b"]]
    assert report.severity == "warning"
    assert [fact.text for fact in report.facts] == ["bad a"]
    assert [one.step for one in report.checked] == ["a", "b"]


def test_the_timeout_becomes_an_argument_of_the_command() -> None:
    player = Player(runbook(f"{A}\ntimeout: 7s"), {})
    wanted = player.next([Message("user", (TextBlock("go"),))])
    assert isinstance(wanted, tuple)
    assert wanted[0].arguments == {"command": "cat a", "timeout": "7s"}


@pytest.mark.parametrize(
    ("result", "status", "reason"),
    [
        (("Refused: rule x", True), "denied", "Refused: rule x"),
        (("Waiting for approval 3f: y", True), "approval_required", "Waiting for approval 3f: y"),
        (("Invalid: no such argument", True), "failed", "Invalid: no such argument"),
        (("sh: ss: not found\n[exit 127]", True), "not_checked", "sh: ss: not found"),
        (("cat: /x: Permission denied\n[exit 1]", True), "not_checked", "cat: /x: Permission denied"),
        (("oh no\n[exit 3]", True), "failed", "exit 3: oh no"),
        (("oh no", True), "failed", "oh no"),
        (("the file does not exist: no such file or directory", True), "not_checked", "the file does"),
        (("[exit -9]", True), "failed", "exit -9"),
        (("Interrupted: the run ended first", True), "failed", "Interrupted"),
    ],
)
def test_a_step_without_a_usable_output_is_reported_as_such(result: Answer, status: str, reason: str) -> None:
    report, _ = play(runbook(A, B), lambda use: result if step_of(use) == "a" else "fine")
    assert statuses(report) == {"a": status}
    assert report.not_checked[0].reason.startswith(reason)
    assert (report.severity == "ok") == (status == "not_checked")
    assert report.facts == ()


@pytest.mark.parametrize("text", ["Refused: this is only a log line", "Waiting for approval 1"])
def test_output_that_looks_like_a_refusal_is_just_output(text: str) -> None:
    report, _ = play(runbook(A), lambda _use: text)
    assert report.severity == "ok"
    assert report.facts[0].text == text


def test_the_reason_is_in_the_runbooks_words_when_it_has_some() -> None:
    step = f"{A}\nnot_checked: no systemd here\nnot_checked_when: [Failed to Connect]"
    report, _ = play(runbook(step), lambda _use: "failed to connect to bus")
    assert [(one.status, one.reason) for one in report.not_checked] == [("not_checked", "no systemd here")]
    assert report.severity == "unknown"


def test_too_few_rows_and_a_wrong_shape_do_not_count_as_checked() -> None:
    few, _ = play(runbook(f"{A}\nmin_rows: 2"), lambda _use: "one")
    assert statuses(few) == {"a": "not_checked"}
    broken, _ = play(runbook(A.replace("lines", "json")), lambda _use: "not json")
    assert statuses(broken) == {"a": "failed"}


def test_other_exits_can_be_fine() -> None:
    report, _ = play(runbook(f"{A}\nok_exits: [0, 1]"), lambda _use: ("\n[exit 1]", True))
    assert report.severity == "ok"
    failed, _ = play(runbook(f"{A}\nok_exits: [1]"), lambda _use: ("no exit code at all", True))
    assert failed.severity == "unknown"


@pytest.mark.parametrize(
    ("when", "said", "played"),
    [
        ("severity: '>= warning'", "bad", True),
        ("severity: '>= critical'", "bad", False),
        ("severity: '== ok'", "good", True),
        ("status: ok", "bad", True),
        ("status: failed", "bad", False),
    ],
)
def test_a_conditional_step_waits_for_the_step_it_names(when: str, said: str, played: bool) -> None:
    book = runbook(f"{A}\n{BAD}", f"{B}\nwhen: {{step: a, {when}}}")
    report, turns = play(book, lambda _use: said)
    assert turns == ([["rb-sample-a"], ["rb-sample-b"]] if played else [["rb-sample-a"]])
    assert ("b" in [one.step for one in report.checked]) is played


def test_a_condition_on_a_refused_step_does_not_hold() -> None:
    book = runbook(f"{A}\n{BAD}", f"{B}\nwhen: {{step: a, severity: '>= ok'}}")
    report, turns = play(book, lambda _use: ("Refused: no", True))
    assert turns == [["rb-sample-a"]]
    assert report.severity == "unknown"


EACH = "id: b\ntool: shell_exec\nforeach: {step: a}\nwith: {command: 'cat ${item}'}\ncapture: {kind: lines}"


def test_a_step_is_repeated_for_rows_with_an_end_and_without_options() -> None:
    names = [f"/f{number}" for number in range(25)] + ["-rf", "/f0"]
    report, turns = play(runbook(A, EACH), lambda use: "\n".join(names) if step_of(use) == "a" else "x")
    assert len(turns[1]) == 20
    assert turns[1][:2] == ["rb-sample-b-1", "rb-sample-b-2"]
    assert report.not_checked[0].reason == "6 more were not looked at"
    assert report.severity == "ok"


def test_a_repetition_over_nothing_is_fine_and_over_a_failure_is_not_checked() -> None:
    nothing, _ = play(runbook(A, EACH), lambda _use: "")
    assert nothing.severity == "ok"
    failed, _ = play(runbook(A, EACH), lambda _use: ("x\n[exit 2]", True))
    assert statuses(failed) == {"a": "failed", "b": "not_checked"}


def test_one_denied_repetition_makes_the_step_denied() -> None:
    def answer(use: ToolUseBlock) -> Answer:
        if step_of(use) == "a":
            return "/x\n/y"
        return ("Refused: no", True) if step_of(use) == "b-2" else "fine"

    report, _ = play(runbook(A, EACH), answer)
    assert statuses(report) == {"b": "denied"}
    assert "/y: Refused" in report.not_checked[0].reason


def test_a_failure_can_stop_the_play() -> None:
    report, turns = play(runbook(f"{A}\non_fail: stop", B), lambda _use: ("no\n[exit 2]", True))
    assert turns == [["rb-sample-a"]]
    assert statuses(report) == {"a": "failed", "b": "skipped"}
    assert report.severity == "unknown"


CHANGE = (
    "id: change\ntool: shell_exec\nwith: {command: touch x}\non_fail: stop\n"
    "verify:\n  - {id: check, tool: shell_exec, with: {command: ls x}}\n"
    "rollback:\n  - {id: back, tool: shell_exec, with: {command: rm x}}"
)


def test_a_change_that_holds_is_not_taken_back() -> None:
    report, turns = play(runbook(CHANGE, A), lambda _use: "fine")
    assert turns == [["rb-sample-change"], ["rb-sample-check"], ["rb-sample-a"]]
    assert report.severity == "ok"


def test_a_change_that_does_not_hold_is_taken_back_and_said() -> None:
    answer = {"check": ("gone\n[exit 2]", True)}
    report, turns = play(runbook(CHANGE), lambda use: answer.get(step_of(use), "fine"))
    assert turns == [["rb-sample-change"], ["rb-sample-check"], ["rb-sample-back"]]
    assert report.findings[0].text == "change did not hold (check); the way back was taken"
    assert report.severity == "warning"


def test_a_way_back_that_fails_is_critical() -> None:
    bad = ("no\n[exit 2]", True)
    report, _ = play(runbook(CHANGE), lambda use: bad if step_of(use) in ("check", "back") else "fine")
    assert report.severity == "critical"
    assert "was not taken back" in report.findings[0].text


@pytest.mark.parametrize("text", ["Refused: no", "Waiting for approval 3f"])
def test_a_change_nobody_allowed_is_neither_checked_nor_taken_back(text: str) -> None:
    report, turns = play(runbook(CHANGE, A), lambda _use: (text, True))
    assert turns == [["rb-sample-change"]]
    assert report.severity == "unknown"


def test_steps_with_an_input_that_was_not_set_are_left_out() -> None:
    book = runbook(
        A, "id: b\ntool: shell_exec\nwith: {command: 'cat ${inputs.f}'}", extra="inputs: {f: {type: path}}\n"
    )
    assert play(book, lambda _use: "x")[1] == [["rb-sample-a"]]
    assert play(book, lambda _use: "x", {"f": "/a b"})[1] == [["rb-sample-a", "rb-sample-b"]]


def test_a_tool_that_is_not_offered_makes_a_step_not_checked() -> None:
    answer = Player(runbook(A), {}).next([Message("user", (TextBlock("go"),))], frozenset({"file_read"}))
    assert isinstance(answer, FinalReport)
    assert answer.not_checked[0].status is StepStatus.NOT_CHECKED
    assert "shell_exec" in answer.not_checked[0].reason


def test_the_player_remembers_nothing_and_reads_only_the_last_turn() -> None:
    book = runbook(A)
    old = [
        Message("user", (TextBlock("go"),)),
        Message("assistant", (ToolUseBlock("rb-sample-a", "shell_exec", {}),)),
        Message("user", (ToolResultBlock("rb-sample-a", "old"),)),
        Message("assistant", (TextBlock("report"),)),
    ]
    first = Player(book, {}).next(old)
    assert isinstance(first, FinalReport)
    again = Player(book, {}).next([*old, Message("user", (TextBlock("again"),))])
    assert isinstance(again, tuple)


def test_a_call_without_a_result_ends_as_failed_instead_of_asking_forever() -> None:
    messages = [
        Message("user", (TextBlock("go"),)),
        Message("assistant", (ToolUseBlock("rb-sample-a", "shell_exec", {}),)),
    ]
    report = Player(runbook(A), {}).next(messages)
    assert isinstance(report, FinalReport)
    assert statuses(report) == {"a": "failed"}


def test_the_last_turn_starts_after_the_persons_last_words() -> None:
    person = Message("user", (TextBlock("b"),))
    assert last_turn([Message("user", (TextBlock("a"),)), person]) == (person, ())
    assert last_turn([]) == (None, ())


def test_escalation_is_named_only_when_something_is_wrong() -> None:
    prose = "# T\n\n## Next steps\n\n- look\n\n## Escalation\n\n- call\n"
    fine, _ = play(runbook(f"{A}\n{BAD}", prose=prose), lambda _use: "good")
    wrong, _ = play(runbook(f"{A}\n{BAD}", prose=prose), lambda _use: "bad")
    assert (fine.next_steps, wrong.next_steps) == (("look",), ("look", "call"))
