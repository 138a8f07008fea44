from __future__ import annotations

from akili_cli.cli.question import Question


def test_a_question_alone_allows_nothing_special() -> None:
    question = Question(message="m")
    switches = (question.autonomous, question.plan, question.read_only, question.stream, question.go_on)
    assert not any(switches)
    assert (question.timeout_s, question.output, question.attachments) == (300.0, "text", ())
