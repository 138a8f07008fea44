from __future__ import annotations

from akili_cli.cli.asking import run_of
from akili_cli.cli.question import Question
from akili_cli.domain.calls import Principal


def test_a_run_carries_what_the_question_allows_it() -> None:
    question = Question(message="m", autonomous=True, read_only=True, plan=True, max_cost_usd=0.5)
    run = run_of(question, Principal("ada"), "conv")
    assert (run.autonomous, run.read_only, run.plan, run.max_cost_usd) == (True, True, True, 0.5)
    assert (run.principal.user, run.conversation_id, run.parent_id) == ("ada", "conv", None)


def test_every_question_is_a_run_of_its_own() -> None:
    question, me = Question(message="m"), Principal("ada")
    first, second = run_of(question, me, None), run_of(question, me, None)
    assert first.id != second.id
    assert first.correlation_id != second.correlation_id
